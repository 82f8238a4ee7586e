// One node: its words, its figures, and what may be done to it.
"use strict";
(function (R) {
  const TTLS = [300, 1800, 3600, 43200, 86400];
  const MOST_TEXT = 20000; // characters of a text that are shown at once

  R.Panel = class {
    // `facts`: bytes_per_token, price; `act(kind, node, options)` for whoever may, else null; `go(id)` shows another.
    constructor(facts, act, go) {
      this.facts = facts;
      this.act = act;
      this.go = go;
      this.id = null;
      this.said = R.el("p", { class: "rt-said", role: "status" });
      this.body = R.el("div", { class: "rt-panel-body" });
      this.element = R.el("section", { class: "rt-panel", "aria-label": R.t("panel.title"), id: "rt-panel" }, [this.body, this.said]);
      this.clear();
    }

    say(text, wrong = false) {
      this.said.textContent = text;
      this.said.classList.toggle("rt-wrong", wrong);
    }

    clear() {
      this.id = null;
      this.body.replaceChildren(
        R.el("h2", { text: R.t("panel.title") }),
        R.el("p", { class: "rt-hint", text: R.t("panel.none") }),
        R.el("dl", { class: "rt-keys" }, R.KEYS.flatMap(([keys, says]) => [
          R.el("dt", {}, keys.map((key) => R.el("kbd", { text: key }))),
          R.el("dd", { text: R.t(says) }),
        ])),
      );
    }

    // `path`: the nodes down to this one; `below`: tokens of it and all below; `locked`; `past`: as it was then.
    show(node, path, below, children, locked, now, past) {
      const again = this.id === node.id;
      if (again && this._busy()) return;
      const scrolled = again ? this.body.querySelector(".rt-text")?.scrollTop : 0;
      const focused = again && this.body.contains(document.activeElement) ? document.activeElement : null;
      const open = again && this.body.querySelector(".rt-path")?.open;
      if (!again) this.say("");
      this.id = node.id;
      const parts = [
        R.el("h2", {}, [
          R.el("span", { text: R.t("panel.tokens", { n: R.count(node.tokens) }) }),
          ...this._tags(node, locked, now),
        ]),
        this._text(node),
        this._figures(node, path, below, children, locked, now),
        this.act === null || past ? R.el("p", { class: "rt-hint", text: R.t(past ? "panel.past" : "panel.file") }) : this._actions(node, path),
        this._path(path),
      ];
      this.body.replaceChildren(...parts.filter((part) => part !== null));
      const text = this.body.querySelector(".rt-text");
      if (scrolled && text !== null) text.scrollTop = scrolled;
      if (open) this.body.querySelector(".rt-path").open = true;
      if (focused !== null) this._refocus(focused.dataset.act, focused.className);
    }

    // Who chooses a TTL, is asked whether they are sure, or selects text is not disturbed: the next change shows this one.
    _busy() {
      const element = document.activeElement;
      if (this.body.contains(element) && (element.tagName === "SELECT" || element.dataset.sure)) return true;
      const selection = window.getSelection();
      return selection !== null && !selection.isCollapsed && this.body.contains(selection.anchorNode);
    }

    _refocus(act, kind) {
      const instead = { pin: "unpin", unpin: "pin", forget: "ttl" };
      const found = act
        ? (this.body.querySelector(`[data-act=${act}]`) ?? this.body.querySelector(`[data-act=${instead[act] ?? "pin"}]`))
        : this.body.querySelector(kind === "rt-text" ? ".rt-text" : "summary, .rt-text");
      found?.focus({ preventScroll: true });
    }

    _tags(node, locked, now) {
      const tag = (kind, text) => R.el("span", { class: `rt-tag rt-${kind}`, text });
      return [
        locked ? tag("locked", R.t("tag.locked")) : null,
        node.pin ? tag("pinned", R.t("tag.pinned")) : null,
        node.priority ? tag("pinned", R.t("tag.priority")) : null,
        node.expires !== null && node.expires > now
          ? tag(node.expires - now < R.SOON ? "soon" : "kept", R.t("tag.kept", { time: R.duration(node.expires - now) }))
          : null,
        node.role ? tag("plain", R.t(`role.${node.role}`)) : null,
      ].filter(Boolean);
    }

    _text(node) {
      if (node.text === null) return R.el("p", { class: "rt-hint", text: R.t("panel.secret") });
      const text = R.visible(node.text);
      const shown = R.el("pre", { class: "rt-text", tabindex: "0", "aria-label": R.t("panel.text"), text: text.slice(0, MOST_TEXT) });
      if (text.length <= MOST_TEXT) return shown;
      const all = R.el("button", {
        type: "button",
        text: R.t("panel.all", { n: R.count(text.length) }),
        on: {
          click: () => {
            shown.textContent = text;
            all.remove();
          },
        },
      });
      return R.el("div", {}, [shown, all]);
    }

    _figures(node, path, below, children, locked, now) {
      const { bytes_per_token: bytes, price } = this.facts;
      const saved = node.hits * node.tokens;
      const rows = [
        ["figure.hits", R.count(node.hits)],
        ["figure.saved", price ? `${R.t("panel.tokens", { n: R.count(saved) })} · ${R.dollars((saved * price.usd_per_mtok) / 1e6)}` : R.t("panel.tokens", { n: R.count(saved) }), price ? R.t("figure.saved_at", { model: price.model }) : R.t("figure.saved_how")],
        ["figure.used", R.ago(now - node.used)],
        node.made === null ? null : ["figure.made", R.ago(now - node.made)],
        ["figure.expires", node.pin ? R.t("figure.never") : node.expires === null ? R.t("figure.no_ttl") : R.t("figure.in", { time: R.duration(node.expires - now) })],
        ["figure.owner", R.short_name(node.namespace), node.namespace],
        node.session === null ? null : ["figure.session", R.line(node.session, 60)],
        ["figure.tier", R.t(`tier.${node.tier}`)],
        bytes ? ["figure.bytes", R.bytes(node.tokens * bytes)] : null,
        ["figure.from", R.t("figure.token", { n: R.count(node.depth ?? path.slice(0, -1).reduce((sum, one) => sum + one.tokens, 0)) })],
        ["figure.below", R.t("figure.below_is", { tokens: R.count(below - node.tokens), n: R.count(children) })],
      ];
      return R.el("dl", { class: "rt-figures" }, rows.filter(Boolean).flatMap(([key, value, title]) => [
        R.el("dt", { text: R.t(key) }),
        R.el("dd", { text: value, title }),
      ]));
    }

    _actions(node, path) {
      const run = async (kind, options) => {
        this.say(R.t("act.working"));
        try {
          this.say(await this.act(kind, node, options));
        } catch (error) {
          this.say(error.message, true);
        }
      };
      const button = (kind, text, options = () => ({})) =>
        R.el("button", { type: "button", text, "data-act": kind, on: { click: () => run(kind, options()) } });
      const chosen = R.el("select", { "aria-label": R.t("act.ttl_for") }, TTLS.map((ttl) =>
        R.el("option", { value: String(ttl), text: R.duration(ttl), selected: ttl === 3600 }),
      ));
      const evict = R.el("button", {
        type: "button",
        class: "rt-danger",
        text: R.t("act.evict"),
        "data-act": "evict",
        on: {
          click: () => {
            if (evict.dataset.sure) run("evict");
            else {
              evict.dataset.sure = "yes";
              evict.textContent = R.t("act.evict_sure");
            }
          },
          blur: () => {
            delete evict.dataset.sure;
            evict.textContent = R.t("act.evict");
          },
        },
      });
      const warmable = path.every((one) => one.text !== null) && !node.namespace.includes("/");
      return R.el("div", { class: "rt-actions", role: "group", "aria-label": R.t("act.title") }, [
        node.pin ? button("unpin", R.t("act.unpin")) : button("pin", R.t("act.pin")),
        R.el("span", { class: "rt-pair" }, [chosen, button("ttl", R.t("act.ttl"), () => ({ ttl: Number(chosen.value) }))]),
        node.expires === null && !node.priority ? null : button("forget", R.t("act.forget")),
        R.el("button", {
          type: "button",
          text: R.t("act.warm"),
          "data-act": "warm",
          disabled: !warmable,
          title: warmable ? R.t("act.warm_how") : R.t("act.warm_not"),
          on: { click: () => run("warm") },
        }),
        evict,
      ]);
    }

    _path(path) {
      if (path.length < 2) return null;
      return R.el("details", { class: "rt-path" }, [
        R.el("summary", { text: R.t("panel.path", { n: R.count(path.length - 1) }) }),
        R.el("ol", {}, path.slice(0, -1).slice(-200).map((one) =>
          R.el("li", {}, [R.el("button", { type: "button", class: "rt-link", text: R.label(one, 60), on: { click: () => this.go(one.id) } })]),
        )),
      ]);
    }
  };

  // A node in a few words.
  R.label = (node, length) => (node.text === null ? R.t("label.tokens", { n: R.count(node.tokens) }) : R.line(node.text, length) || R.t("label.blank"));
})((window.radixaTree ??= {}));
