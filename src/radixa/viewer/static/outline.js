// What is in view as a table, for whoever reads or listens rather than looks; largest first.
"use strict";
(function (R) {
  const MOST_ROWS = 40;

  R.Outline = class {
    constructor(go) {
      this.go = go;
      this.caption = R.el("caption", {});
      this.rows = R.el("tbody", {});
      const head = ["outline.text", "outline.tokens", "outline.below", "figure.hits", "figure.used", "outline.state"];
      this.element = R.el("div", { class: "rt-outline", role: "region", tabindex: "0", "aria-label": R.t("outline.title") }, [
        R.el("table", { id: "rt-outline" }, [
          this.caption,
          R.el("thead", {}, [R.el("tr", {}, head.map((key) => R.el("th", { scope: "col", text: R.t(key) })))]),
          this.rows,
        ]),
      ]);
    }

    show(scene, canvas) {
      const { layout, view, locked, now, found, searching } = scene;
      const shown = searching ? this._found(found, layout) : this._visible(layout, view, canvas);
      const focused = document.activeElement?.dataset?.id;
      this.caption.textContent = R.t(searching ? "outline.found" : "outline.visible", {
        shown: R.count(Math.min(MOST_ROWS, shown.length)),
        n: R.count(searching ? found.length : shown.length),
      });
      this.rows.replaceChildren(...shown.slice(0, MOST_ROWS).map((i) => this._row(layout.nodes[i], layout.width[i], locked, now)));
      if (focused !== undefined && this.rows.isConnected) {
        const again = this.rows.querySelector(`[data-id="${focused}"]`);
        if (again !== null && document.activeElement === document.body) again.focus({ preventScroll: true });
      }
    }

    // Of each level in view, what is wide enough to be seen as one.
    _visible(layout, view, canvas) {
      const found = [];
      const least = ((view.right - view.left) / Math.max(1, canvas.width)) * 3;
      const end = Math.min(layout.depth, Math.ceil(view.top + canvas.rows));
      for (let level = Math.max(0, Math.floor(view.top)); level < end && found.length < 4000; level += 1) {
        for (let i = layout.from(level, view.left); i < layout.levels[level + 1] && layout.left[i] < view.right; i += 1) {
          if (layout.width[i] >= least) found.push(i);
          if (found.length >= 4000) break;
        }
      }
      return found.sort((a, b) => layout.width[b] - layout.width[a] || a - b);
    }

    _found(found, layout) {
      return found.slice(0, 4000).sort((a, b) => layout.width[b] - layout.width[a] || a - b);
    }

    _row(node, below, locked, now) {
      const states = [
        locked.has(node.id) ? R.t("tag.locked") : "",
        node.pin ? R.t("tag.pinned") : "",
        node.expires !== null && node.expires > now ? R.t("tag.kept", { time: R.duration(node.expires - now) }) : "",
      ].filter(Boolean);
      return R.el("tr", {}, [
        R.el("th", { scope: "row" }, [
          R.el("button", { type: "button", class: "rt-link", "data-id": String(node.id), text: R.label(node, 90), on: { click: () => this.go(node.id) } }),
        ]),
        ...[R.count(node.tokens), R.count(below), R.count(node.hits), R.ago(now - node.used), states.join(", ")].map((text) => R.el("td", { text })),
      ]);
    }
  };
})((window.radixaTree ??= {}));
