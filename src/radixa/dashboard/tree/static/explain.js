// Explains a prompt: sends it, and shows the answer as coloured text. Whatever a prompt holds is only ever text here.
"use strict";
(function () {
  const URL = "/dashboard/explain";
  const words = JSON.parse(document.getElementById("ex-words").textContent);
  const language = document.documentElement.lang;
  const found = document.getElementById("ex-found");
  const prompt = document.getElementById("ex-prompt");
  const token = document.querySelector("meta[name=csrf]").content;
  const t = (key, values = {}) => (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  const count = (number) => new Intl.NumberFormat(language).format(number);
  const percent = (share) => new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 }).format(share);

  function el(name, kind, text, ...children) {
    const element = document.createElement(name);
    if (kind) element.className = kind;
    if (text !== null && text !== undefined) element.textContent = text;
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  // A request's body where it is one, else a user's message.
  function body(text) {
    try {
      const read = JSON.parse(text);
      if (Array.isArray(read)) return { messages: read };
      if (read !== null && typeof read === "object") return read;
    } catch {
      // It is no JSON, so it is the text itself.
    }
    return { messages: [{ role: "user", content: text }] };
  }

  async function ask(path, sent) {
    const options = sent === undefined ? {} : {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": token },
      body: JSON.stringify(sent),
    };
    const answer = await fetch(URL + path, { credentials: "same-origin", ...options });
    const read = await answer.json().catch(() => null);
    if (answer.status === 401) window.location.reload();
    if (!answer.ok || read === null) throw new Error(read?.error?.message ?? String(answer.status));
    return read;
  }

  function show(answer, past) {
    const { prompt_tokens: all, cached_tokens: cached, parts, miss, volatile } = answer;
    const heading = el("h2", "", t("rate", { cached: count(cached), all: count(all), share: percent(all ? cached / all : 0) }));
    const bar = el("div", "ex-bar");
    bar.setAttribute("aria-hidden", "true");
    const legend = el("ul", "ex-legend");
    for (const part of parts) {
      const piece = el("span", part.state);
      piece.style.flex = `${part.tokens} 0 0`;
      bar.append(piece);
      legend.append(el("li", part.state, t(`state_${part.state}`, { n: count(part.tokens) })));
    }
    const text = el("pre", "ex-text");
    text.tabIndex = 0;
    text.setAttribute("role", "region");
    text.setAttribute("aria-label", t("text"));
    for (const part of parts) {
      if (part.state === "computed" && miss !== null) {
        const here = el("span", "ex-here");
        here.title = t("here", { at: count(miss.at) });
        text.append(here);
      }
      const piece = el("mark", part.state, part.text);
      piece.title = t(`state_${part.state}`, { n: count(part.tokens) });
      text.append(piece);
    }
    found.replaceChildren(
      heading,
      el("p", "note", past ? t("then") : t("now")),
      bar,
      legend,
      miss === null ? el("p", "", t("all_there")) : missed(miss),
      volatile === null ? null_() : el("div", "ex-miss", null, el("h3", "", t("volatile", { seen: count(volatile.seen) })), el("p", "", t("volatile_cost", { n: count(volatile.cost_tokens) })), sides([[t("line"), volatile.text]])),
      text,
    );
    text.querySelector(".ex-here")?.scrollIntoView({ block: "nearest" });
  }

  const null_ = () => document.createDocumentFragment();

  function missed(miss) {
    const where = miss.message === null ? t("where", { at: count(miss.at) }) : t("where_message", { at: count(miss.at), message: count(miss.message) });
    const left = miss.evicted_at ?? miss.expired_at;
    const when = left === undefined ? null : el("p", "note", new Date(left * 1000).toLocaleString(language));
    const pairs = miss.yours === null ? [] : [[t("yours"), miss.yours], ...miss.tree.map((text) => [t("tree"), text])];
    return el("div", "ex-miss", null, el("h3", "", `${where} ${t(`reason_${miss.reason}`)}`), when, pairs.length ? sides(pairs, miss.tree.length > 0) : null_(), el("p", "note", t(`advice_${miss.reason}`)));
  }

  // Texts one below the other, the first word of each marked where that is what differs.
  function sides(pairs, differ = false) {
    const list = el("dl", "ex-sides");
    for (const [name, text] of pairs) {
      const first = differ ? (/^\s*(?:[\p{L}\p{N}_]+|[^\s])/u.exec(text)?.[0] ?? "") : "";
      list.append(el("dt", "", name), el("dd", "", null, first ? el("b", "", first) : null_(), document.createTextNode(text.slice(first.length))));
    }
    return list;
  }

  function say(text, kind = "note") {
    found.replaceChildren(el("p", kind, text));
  }

  async function run(work) {
    found.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      say(error.message, "wrong");
    }
    found.removeAttribute("aria-busy");
  }

  const recent = document.getElementById("ex-recent");

  function list(data) {
    document.getElementById("ex-none").hidden = data.length > 0;
    recent.replaceChildren(...data.map((one) => {
      const button = el(
        "button", "", null,
        el("span", "ex-said", one.text.trim() || t("blank")),
        el("span", "ex-rate", percent(one.prompt_tokens ? one.cached_tokens / one.prompt_tokens : 0)),
        el("span", "ex-when", [new Date(one.created * 1000).toLocaleTimeString(language), one.model, one.session_id, t("tokens", { n: count(one.prompt_tokens) })].filter(Boolean).join(" · ")),
      );
      button.type = "button";
      button.dataset.request = one.request_id;
      button.addEventListener("click", () => run(async () => {
        for (const other of recent.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
        show(await ask(`/recent/${one.request_id}`), true);
      }));
      return el("li", "", null, button);
    }));
  }

  document.getElementById("ex-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!prompt.value.trim()) {
      prompt.focus();
      return;
    }
    run(async () => {
      for (const other of recent?.querySelectorAll("button") ?? []) other.setAttribute("aria-pressed", "false");
      show(await ask("/ask?include=text", body(prompt.value.replace(/\n$/, ""))), false);
    });
  });
  prompt.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form.requestSubmit();
  });
  document.getElementById("ex-warm").addEventListener("click", () => {
    if (!prompt.value.trim()) {
      prompt.focus();
      return;
    }
    run(async () => {
      const sent = body(prompt.value.replace(/\n$/, ""));
      const answer = await ask("/warm", sent);
      show(await ask("/ask?include=text", sent), false);
      found.prepend(el("p", "note", t("warmed", { cached: count(answer.cached_tokens), written: count(answer.cache_write_tokens) })));
      if (recent !== null) list((await ask("/recent")).data);
    });
  });
  if (recent !== null) {
    list(JSON.parse(document.getElementById("ex-listed").textContent));
    window.addEventListener("focus", () => ask("/recent").then((answer) => list(answer.data), () => undefined));
  }
})();
