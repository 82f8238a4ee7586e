// The playground: sends what any client would send, and says of each answer what it reused, cost and saved.
// Text is only ever set as text.
"use strict";

(() => {
  const root = document.getElementById("playground");
  const words = JSON.parse(root.dataset.words);
  const by = (id) => document.getElementById(id);
  const talk = by("talk"), text = by("text"), send = by("send"), stop = by("stop");
  const token = document.querySelector("meta[name=csrf]").content;
  let turns = [];
  let running = null;

  function element(name, className, content) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (content !== undefined) made.textContent = content;
    return made;
  }

  function bubble(who, content) {
    const item = element("article", who === "user" ? "mine" : "theirs");
    const body = element("div", "text", content);
    item.append(element("p", "who", who === "user" ? words.you : by("model").value), body);
    talk.append(item);
    item.scrollIntoView({ block: "nearest" });
    return { item, body };
  }

  // The answer's text as it comes, then its usage. Throws what the server said.
  async function ask(messages, reuse, signal, onText) {
    const body = {
      model: by("model").value,
      messages,
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: Math.max(1, Number(by("most").value) || 256),
    };
    if (!reuse) body.prompt_cache = false;
    const answer = await fetch("/dashboard/playground/chat", {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": token },
      body: JSON.stringify(body),
      signal,
    });
    if (!answer.ok) throw new Error((await answer.json()).error.message);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "", usage = null, ended = false;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const data = event.replace(/^data: /, "");
        if (data === "[DONE]") { ended = true; continue; }
        const found = JSON.parse(data);
        if (found.error) throw new Error(found.error.message);
        usage = found.usage ?? usage;
        const piece = found.choices[0]?.delta?.content;
        if (piece) onText(piece);
      }
    }
    if (!ended) throw new Error(words.broke);
    return usage;
  }

  const money = (value) => (value == null ? words.unknown_price : value === 0 ? "$0" : "$" + value.toFixed(9).replace(/0+$/, ""));
  const ms = (value) => (value == null ? "–" : value >= 10000 ? (value / 1000).toFixed(1) + " s" : Math.round(value).toLocaleString() + " ms");

  // A table of two columns: what it was, and what it had been with nothing cached.
  function figures(usage, without) {
    const own = usage.radixa;
    const cost = own.cost_usd, saved = own.saved_usd;
    const full = cost == null || saved == null ? null : cost + saved;
    const hits = words.of.replace("{part}", usage.cached_tokens.toLocaleString()).replace("{whole}", usage.prompt_tokens.toLocaleString());
    const rows = [
      [words.cached, hits, words.none],
      [words.ttft, ms(own.ttft_ms), without ? `${ms(without.radixa.ttft_ms)} (${words.measured})` : "–"],
      [words.cost, money(cost), full == null ? words.unknown_price : `${money(full)} (${words.by_price})`],
      [words.saving, money(saved), "–"],
    ];
    const table = element("table", "figures-of");
    const head = element("tr");
    for (const title of ["", words.this_answer, words.not_cached]) {
      const cell = element(title ? "th" : "td", "", title);
      if (title) cell.scope = "col";
      head.append(cell);
    }
    table.createTHead().append(head);
    const inner = table.createTBody();
    for (const [name, ...values] of rows) {
      const row = element("tr"), title = element("th", "", name);
      title.scope = "row";
      row.append(title, ...values.map((value) => element("td", "", value)));
      inner.append(row);
    }
    return table;
  }

  async function turn(question) {
    by("hello").hidden = true;
    bubble("user", question);
    turns.push({ role: "user", content: question });
    const system = by("system").value.trim();
    const messages = system ? [{ role: "system", content: system }, ...turns] : [...turns];
    const { item, body } = bubble("assistant", words.waiting);
    item.classList.add("waiting");
    item.setAttribute("aria-busy", "true");
    running = new AbortController();
    send.disabled = true;
    stop.hidden = false;
    let answer = "";
    try {
      const usage = await ask(messages, true, running.signal, (piece) => {
        answer += piece;
        item.classList.remove("waiting");
        body.textContent = answer;
        item.scrollIntoView({ block: "nearest" });
      });
      body.textContent = answer;
      turns.push({ role: "assistant", content: answer });
      let without = null;
      if (usage) {
        let table = figures(usage, null);
        item.append(table);
        if (by("compare").checked) {
          without = await ask(messages, false, running.signal, () => {});
          table.replaceWith((table = figures(usage, without)));
        }
      }
    } catch (error) {
      const said = error.name === "AbortError" ? words.stopped : error.message;
      body.textContent = answer;
      item.append(element("p", "wrong", said));
      // What was said stays; what broke off is not part of the conversation.
      if (turns[turns.length - 1].role === "user") turns.pop();
    } finally {
      item.classList.remove("waiting");
      item.removeAttribute("aria-busy");
      running = null;
      send.disabled = false;
      stop.hidden = true;
      item.scrollIntoView({ block: "nearest" });
      text.focus();
    }
  }

  by("say").addEventListener("submit", (event) => {
    event.preventDefault();
    const question = text.value.trim();
    if (!question || running) return;
    text.value = "";
    turn(question);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    by("say").requestSubmit();
  });
  stop.addEventListener("click", () => running?.abort());
  by("settings").addEventListener("submit", (event) => event.preventDefault());
  by("again").addEventListener("click", () => {
    running?.abort();
    turns = [];
    talk.replaceChildren();
    by("hello").hidden = false;
    text.focus();
  });
})();
