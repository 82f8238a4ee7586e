// Puts the parts together: what is shown, when it is drawn, and what keys and controls do.
"use strict";
(function (R) {
  const LAYOUT_EVERY = 400; // milliseconds, of a tree that changes all the time
  const SLOW_EVERY = 1000; // for a large one
  const LARGE = 20000; // nodes
  const TICK = 1000;

  R.KEYS = [
    [["←", "→", "↑", "↓"], "key.walk"],
    [["Enter"], "key.zoom"],
    [["Esc"], "key.out"],
    [["+", "−"], "key.scale"],
    [["0"], "key.all"],
    [["/"], "key.search"],
    [["n", "N"], "key.next"],
    [["p"], "key.pause"],
  ];

  R.Viewer = class {
    // `settings`: source, taken (seconds since 1970; null for a live tree), facts, urls, csrf, may.
    constructor(root, settings) {
      this.root = root;
      this.settings = settings;
      this.file = settings.taken !== null;
      this.store = new R.Store(() => (this.file ? settings.taken : Date.now() / 1000));
      this.feed = this.file ? null : new R.Feed(settings.urls, settings.csrf);
      this.past = null;
      this.mode = "recency";
      this.selected = null;
      this.hovered = -1;
      this.found = [];
      this.query = "";
      this.at = -1;
      this.layout = R.layout(new Map());
      this.drawing = 0;
      this.dark = window.matchMedia("(prefers-color-scheme: dark)");
      this._build();
      this._listen();
    }

    start(nodes) {
      if (this.file) {
        this._loaded(nodes, null);
        cancelAnimationFrame(this.drawing);
        this._draw(performance.now());
        return;
      }
      this.feed.follow({
        loaded: (found, locked) => this._loaded(found, locked),
        told: (event) => this._told(event),
        connected: (yes) => this.timeline.live(yes),
        failed: (error) => this.panel.say(error.message, true),
      });
    }

    // ---- what is shown

    read(nodes, texts) {
      nodes.forEach((node, i) => (node.text = texts[i]));
      this._search(false);
      this.panel.id = null;
      this._panel();
      this._crumbs();
      this.changed();
      performance.mark("radixa:texts");
    }

    _loaded(nodes, locked) {
      this.store.load(nodes);
      if (locked !== null) this.store.lock(locked);
      this.root.classList.remove("rt-loading");
      this._lay(true);
    }

    _told(event) {
      const { added, hit } = this.store.apply(event);
      if (this.past === null) {
        this.canvas.flash(hit, "hit");
        this.canvas.flash(added, "added");
        this._laySoon();
      }
    }

    _laySoon() {
      if (this.laying) return;
      const since = performance.now() - (this.laid ?? 0);
      const every = this.layout.nodes.length > LARGE ? SLOW_EVERY : LAYOUT_EVERY;
      this.laying = setTimeout(() => this._lay(false), Math.max(0, every - since));
    }

    _lay(at_once) {
      clearTimeout(this.laying);
      this.laying = 0;
      this.laid = performance.now();
      const nodes = this.past === null ? this.store.nodes : this.store.at(this.past);
      const anchor = this.selected ?? this._anchor();
      this.shown = nodes;
      this.layout = R.layout(nodes);
      this.viewport.show(this.layout, anchor);
      this.hovered = -1;
      this._search(false);
      this._facts();
      this._panel();
      this._crumbs();
      this.changed();
      if (at_once) this._outlineNow();
    }

    // The node in the middle of the view, which is to stay there.
    _anchor() {
      const { view, layout } = this.viewport;
      if (layout === null || !layout.nodes.length) return undefined;
      const i = layout.hit(Math.min(layout.depth - 1, Math.floor(view.top)), (view.left + view.right) / 2);
      return i < 0 ? undefined : layout.nodes[i].id;
    }

    get now() {
      return this.past ?? this.store.now();
    }

    get theme() {
      const chosen = document.documentElement.dataset.theme;
      return chosen === "dark" || (chosen !== "light" && this.dark.matches) ? "dark" : "light";
    }

    get scene() {
      const { layout } = this;
      return {
        layout,
        view: this.viewport.view,
        colours: this.colours,
        theme: this.theme,
      paper: this.paper,
        now: this.now,
        locked: this.past === null ? this.store.locked : new Set(),
        selected: this.selected === null ? -1 : (layout.index.get(this.selected) ?? -1),
        hovered: this.hovered,
        found: this.found,
        searching: this.query !== "",
        still: this.viewport.still.matches,
      coarse: this.viewport.goal !== null,
      };
    }

    changed() {
      this.drawing ||= requestAnimationFrame((now) => this._draw(now));
      this._outlineSoon();
    }

    _draw(now) {
      this.drawing = 0;
      this.canvas.resize();
      const gliding = this.viewport.step(now);
      this._paint();
      const fading = this.canvas.draw(this.scene);
      if (gliding || (fading && !this.viewport.still.matches)) this.drawing = requestAnimationFrame((next) => this._draw(next));
      else if (fading) setTimeout(() => this.changed(), 400);
      if (this.layout.nodes.length && !this.pictured) {
        this.pictured = true;
        this.root.dataset.pictured = "yes";
        // In the frame after the one that shows it.
        requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("radixa:first-picture")));
      }
    }

    // Colours follow the time, but not every picture.
    _paint() {
      const key = `${this.mode} ${this.theme} ${Math.floor(this.now)}`;
      if (this.painted === key && this.paintedOf === this.layout) return;
      const legend = this.painted?.split(" ").slice(0, 2).join() !== key.split(" ").slice(0, 2).join() || this.paintedOf !== this.layout;
      this.painted = key;
      this.paintedOf = this.layout;
      this.paper = getComputedStyle(this.root).getPropertyValue("background-color");
      this.colours = R.colours(this.mode, this.theme === "dark", this.now, this.layout);
      if (legend) this._legend();
    }

    // ---- going about

    select(id, zoom = false) {
      this.selected = id;
      const i = id === null ? -1 : (this.layout.index.get(id) ?? -1);
      this._panel();
      this._crumbs();
      if (zoom || i < 0) this.viewport.focus(i);
      else this.viewport.reveal(i);
      if (i >= 0) this.status.textContent = this._spoken(i);
    }

    _spoken(i) {
      const node = this.layout.nodes[i];
      return R.t("spoken.node", {
        text: R.label(node, 80),
        tokens: R.count(node.tokens),
        hits: R.count(node.hits),
        ago: R.ago(this.now - node.used),
        level: this.layout.level(i) + 1,
        children: R.count(this.layout.children(i).length),
      });
    }

    _walk(key) {
      const { layout } = this;
      if (!layout.nodes.length) return;
      const i = this.selected === null ? -1 : (layout.index.get(this.selected) ?? -1);
      let next = i;
      if (i < 0) next = layout.hit(Math.floor(this.viewport.view.top), (this.viewport.view.left + this.viewport.view.right) / 2);
      else if (key === "ArrowUp") next = layout.parents[i];
      else if (key === "ArrowDown") next = layout.children(i).reduce((best, j) => (best < 0 || layout.width[j] > layout.width[best] ? j : best), -1);
      else {
        const level = layout.level(i);
        next = i + (key === "ArrowRight" ? 1 : -1);
        if (next < layout.levels[level] || next >= layout.levels[level + 1]) next = -1;
      }
      if (i < 0 && next < 0) next = 0;
      if (next >= 0) this.select(layout.nodes[next].id);
    }

    _out() {
      const i = this.selected === null ? -1 : (this.layout.index.get(this.selected) ?? -1);
      const parent = i < 0 ? -1 : this.layout.parents[i];
      if (parent < 0) this.select(null);
      else this.select(this.layout.nodes[parent].id, true);
    }

    _key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const keys = {
        ArrowLeft: () => (event.shiftKey ? this.viewport.pan(-0.2, 0) : this._walk(event.key)),
        ArrowRight: () => (event.shiftKey ? this.viewport.pan(0.2, 0) : this._walk(event.key)),
        ArrowUp: () => (event.shiftKey ? this.viewport.pan(0, -3) : this._walk(event.key)),
        ArrowDown: () => (event.shiftKey ? this.viewport.pan(0, 3) : this._walk(event.key)),
        Enter: () => this.selected !== null && this.select(this.selected, true),
        Escape: () => this._out(),
        Backspace: () => this._out(),
        "+": () => this.viewport.zoom(0.6),
        "=": () => this.viewport.zoom(0.6),
        "-": () => this.viewport.zoom(1.7),
        "−": () => this.viewport.zoom(1.7),
        0: () => this.select(null),
        Home: () => this.select(null),
        PageUp: () => this.viewport.pan(0, -this.canvas.rows + 2),
        PageDown: () => this.viewport.pan(0, this.canvas.rows - 2),
        n: () => this._next(1),
        N: () => this._next(-1),
        p: () => this.timeline?.toggle(),
        "/": () => this.searchBox.focus(),
      };
      const action = keys[event.key];
      if (action === undefined) return;
      event.preventDefault();
      action();
    }

    // ---- searching

    _search(fresh) {
      const query = this.query.toLowerCase();
      this.found = [];
      if (query) {
        this.layout.nodes.forEach((node, i) => {
          if (node.text !== null && node.text.toLowerCase().includes(query)) this.found.push(i);
          else if (node.session !== null && node.session.toLowerCase().includes(query)) this.found.push(i);
        });
      }
      if (fresh) this.at = -1;
      this.matches.textContent = query ? R.t("search.found", { n: R.count(this.found.length) }) : "";
    }

    _next(by) {
      if (!this.found.length) return;
      this.at = (this.at + by + this.found.length) % this.found.length;
      if (this.at < 0) this.at = this.found.length - 1;
      this.select(this.layout.nodes[this.found[this.at]].id);
      this.matches.textContent = R.t("search.at", { at: R.count(this.at + 1), n: R.count(this.found.length) });
    }

    // ---- the parts

    _panel() {
      const i = this.selected === null ? -1 : (this.layout.index.get(this.selected) ?? -1);
      if (i < 0) {
        if (this.panel.id !== null) this.panel.clear();
        return;
      }
      const { layout } = this;
      const path = layout.path(i).map((j) => layout.nodes[j]);
      const locked = this.past === null && this.store.locked.has(this.selected);
      this.panel.show(layout.nodes[i], path, layout.width[i], layout.children(i).length, locked, this.now, this.past !== null);
    }

    _crumbs() {
      const i = this.selected === null ? -1 : (this.layout.index.get(this.selected) ?? -1);
      const path = i < 0 ? [] : this.layout.path(i);
      const shown = path.length > 5 ? [...path.slice(0, 1), null, ...path.slice(-3)] : path;
      const item = (text, id, last) =>
        R.el("li", {}, [R.el("button", { type: "button", class: "rt-link", text, "aria-current": last ? "true" : undefined, on: { click: () => this.select(id, true) } })]);
      this.crumbs.replaceChildren(
        item(R.t("crumb.all"), null, path.length === 0),
        ...shown.map((j) => (j === null ? R.el("li", { text: "…" }) : item(R.label(this.layout.nodes[j], 28), this.layout.nodes[j].id, j === i))),
      );
    }

    _facts() {
      const { layout } = this;
      let saved = 0;
      for (const node of layout.nodes) saved += node.hits * node.tokens;
      const { capacity, price } = this.settings.facts;
      const facts = [
        [R.count(layout.nodes.length), R.t("fact.nodes")],
        [R.short(layout.total), R.t("fact.tokens")],
        capacity ? [R.percent(layout.total / capacity), R.t("fact.full")] : null,
        [R.short(saved), R.t("fact.saved")],
        price ? [R.dollars((saved * price.usd_per_mtok) / 1e6), R.t("fact.worth", { model: price.model })] : null,
      ];
      this.facts.replaceChildren(...facts.filter(Boolean).map(([value, name]) =>
        R.el("div", {}, [R.el("dt", { text: name }), R.el("dd", { text: value })]),
      ));
      this.empty.hidden = layout.nodes.length > 0 || this.root.classList.contains("rt-loading");
    }

    _legend() {
      const marks = R.marks(this.theme);
      const sample = (fill, kind) => {
        const box = R.el("span", { class: `rt-swatch ${kind}`, "aria-hidden": "true" });
        box.style.setProperty("--swatch", fill);
        return box;
      };
      this.legend.replaceChildren(
        ...this.colours.legend.map(([text, swatch]) => R.el("li", {}, [sample(swatch.fill, ""), text])),
        R.el("li", { class: "rt-mark" }, [sample(marks.lock, "rt-top"), R.t("tag.locked")]),
        R.el("li", {}, [sample(marks.pin, "rt-corner"), R.t("tag.pinned")]),
        R.el("li", {}, [sample(marks.pin, "rt-bottom"), R.t("legend.ttl")]),
        R.el("li", {}, [sample(marks.soon, "rt-dashes"), R.t("legend.soon")]),
      );
    }

    _outlineSoon() {
      this.outlining ||= setTimeout(() => this._outlineNow(), 350);
    }

    _outlineNow() {
      clearTimeout(this.outlining);
      this.outlining = 0;
      this.outline.show(this.scene, this.canvas);
    }

    _hover(i, event) {
      if (i === this.hovered && event === null) return;
      const other = i !== this.hovered;
      this.hovered = i;
      if (i < 0) this.tip.hidden = true;
      else {
        const node = this.layout.nodes[i];
        if (other) {
          this.tip.replaceChildren(
            R.el("strong", { text: R.label(node, 120) }),
            R.el("span", { text: R.t("tip.line", { tokens: R.count(node.tokens), below: R.count(this.layout.width[i] - node.tokens), hits: R.count(node.hits), ago: R.ago(this.now - node.used) }) }),
          );
        }
        this.tip.hidden = false;
        const box = this.stage.getBoundingClientRect();
        const x = Math.min(event.clientX - box.left + 14, box.width - this.tip.offsetWidth - 8);
        const y = event.clientY - box.top + 18;
        this.tip.style.transform = `translate(${Math.max(4, x)}px, ${y + this.tip.offsetHeight > box.height ? y - this.tip.offsetHeight - 30 : y}px)`;
      }
      if (other) this.changed();
    }

    _build() {
      const t = R.t;
      const button = (text, label, click) => R.el("button", { type: "button", text, "aria-label": label, title: label, on: { click } });
      this.searchBox = R.el("input", { type: "search", placeholder: t("search.box"), "aria-label": t("search.label"), spellcheck: "false", id: "rt-search" });
      this.matches = R.el("span", { class: "rt-matches", role: "status" });
      this.facts = R.el("dl", { class: "rt-facts" });
      const chosen = R.el("select", { id: "rt-mode", on: { change: () => { this.mode = chosen.value; this.changed(); } } }, R.MODES.map((mode) => R.el("option", { value: mode, text: t(`mode.${mode}`) })));
      this.crumbs = R.el("ol", {});
      this.legend = R.el("ul", { class: "rt-legend" });
      this.status = R.el("p", { class: "rt-hidden", role: "status" });
      const element = R.el("canvas", { class: "rt-canvas", tabindex: "0", role: "application", "aria-label": t("canvas.label"), "aria-describedby": "rt-how", id: "rt-canvas" });
      this.tip = R.el("div", { class: "rt-tip", "aria-hidden": "true" });
      this.tip.hidden = true;
      this.empty = R.el("p", { class: "rt-empty", text: t("tree.empty") });
      this.empty.hidden = true;
      this.stage = R.el("div", { class: "rt-stage" }, [element, this.tip, this.empty]);
      this.canvas = new R.Canvas(element);
      this.viewport = new R.Viewport(
        this.canvas,
        () => this.changed(),
        (i) => this.select(i < 0 ? null : this.layout.nodes[i].id, i >= 0),
        (i, event) => this._hover(i, event),
      );
      this.viewport.layout = this.layout;
      const act = this.settings.may ? (kind, node, options) => this.feed.act(kind, node, this.store.path(node.id), options) : null;
      this.panel = new R.Panel(this.settings.facts, act, (id) => this.select(id, true));
      this.outline = new R.Outline((id) => {
        this.select(id, true);
        element.focus({ preventScroll: true });
      });
      this.timeline = this.file ? null : new R.Timeline((past) => {
        this.past = past;
        this._lay(true);
        this.timeline.show(this.store, this.theme);
      });
      this.root.replaceChildren(
        R.el("div", { class: "rt-head" }, [
          this.facts,
          R.el("div", { class: "rt-tools", role: "toolbar", "aria-label": t("tools.title") }, [
            R.el("span", { class: "rt-search" }, [this.searchBox, this.matches]),
            R.el("label", { class: "rt-mode" }, [R.el("span", { text: t("tools.colour") }), chosen]),
            R.el("span", { class: "rt-zoom" }, [
              button("+", t("key.in"), () => this.viewport.zoom(0.6)),
              button("−", t("key.less"), () => this.viewport.zoom(1.7)),
              button("⤢", t("key.all"), () => this.select(null)),
            ]),
          ]),
        ]),
        R.el("nav", { class: "rt-crumbs", "aria-label": t("crumb.title") }, [this.crumbs]),
        R.el("div", { class: "rt-main" }, [
          R.el("div", { class: "rt-left" }, [this.stage, ...(this.timeline === null ? [] : [this.timeline.element]), this.legend]),
          this.panel.element,
        ]),
        this.outline.element,
        R.el("p", { class: "rt-hidden", id: "rt-how", text: t("canvas.how") }),
        this.status,
      );
      this._crumbs();
      if (!this.file) this.timeline.show(this.store, this.theme);
    }

    _listen() {
      this.canvas.element.addEventListener("keydown", (event) => this._key(event));
      let typing = 0;
      this.searchBox.addEventListener("input", () => {
        clearTimeout(typing);
        typing = setTimeout(() => {
          this.query = this.searchBox.value.trim();
          this._search(true);
          this.changed();
        }, 120);
      });
      this.searchBox.addEventListener("keydown", (event) => {
        if (event.key === "Enter") this._next(event.shiftKey ? -1 : 1);
        if (event.key === "Escape") this.canvas.element.focus();
      });
      document.addEventListener("keydown", (event) => {
        const typing = event.target.closest?.("input, textarea, select, button, [contenteditable]");
        if (event.key === "/" && !typing && event.target !== this.canvas.element && !event.ctrlKey && !event.metaKey) {
          event.preventDefault();
          this.searchBox.focus();
        }
      });
      new ResizeObserver(() => this.changed()).observe(this.canvas.element);
      this.dark.addEventListener("change", () => this.changed());
      new MutationObserver(() => this.changed()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
      if (this.file) return;
      // Ages grow.
      setInterval(() => {
        if (document.hidden) return;
        this.timeline.show(this.store, this.theme);
        this._panel();
        this.changed();
      }, TICK);
    }
  };

  // The page's own data: settings, words, and, in a file, the nodes.
  R.begin = () => {
    const root = document.getElementById("radixa-tree");
    const read = (id) => {
      const found = document.getElementById(id);
      return found === null ? null : JSON.parse(found.textContent);
    };
    const settings = read("radixa-settings");
    const languages = Object.keys(settings.words);
    const wanted = [settings.language, ...(navigator.languages ?? [navigator.language])].filter(Boolean).map((code) => code.slice(0, 2));
    const language = wanted.find((code) => languages.includes(code)) ?? languages[0];
    R.speak(language, settings.words[language]);
    if (settings.taken !== null) document.documentElement.lang = language;
    const viewer = new R.Viewer(root, settings);
    const table = read("radixa-nodes");
    const nodes = table === null ? [] : R.rows(table, settings.taken);
    viewer.start(nodes);
    // A file's texts come after the script, so that there is a picture before they are read.
    if (table !== null) document.addEventListener("DOMContentLoaded", () => viewer.read(nodes, read("radixa-texts")));
    return (window.radixaViewer = viewer);
  };
  R.begin();
})((window.radixaTree ??= {}));
