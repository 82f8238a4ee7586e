// The last minutes: what came, what was hit, what went, and a slider to go back.
"use strict";
(function (R) {
  const BARS = { dark: { came: "#5cc0a5", hit: "#ffd866", went: "#ff6b81" }, light: { came: "#1f8b77", hit: "#b78a00", went: "#c2183c" } };

  R.Timeline = class {
    // `moved(time)`: show the tree as it was then; null for now.
    constructor(moved) {
      this.moved = moved;
      this.past = null; // seconds since 1970; null for now
      this.canvas = R.el("canvas", { class: "rt-bars", "aria-hidden": "true" });
      this.slider = R.el("input", {
        type: "range",
        min: String(-R.KEPT_SECONDS),
        max: "0",
        step: "1",
        value: "0",
        "aria-label": R.t("time.slider"),
        on: { input: () => this._slid() },
      });
      this.button = R.el("button", { type: "button", class: "rt-pause", on: { click: () => this.toggle() } });
      this.state = R.el("output", { class: "rt-when" });
      this.element = R.el("section", { class: "rt-timeline", "aria-label": R.t("time.title") }, [
        this.button,
        R.el("div", { class: "rt-track" }, [this.canvas, this.slider]),
        this.state,
      ]);
      this.connected = false;
      this.clock = () => Date.now() / 1000;
    }

    toggle() {
      this._go(this.past === null ? this.clock() : null);
    }

    live(connected) {
      this.connected = connected;
    }

    _slid() {
      const back = Number(this.slider.value);
      this._go(back === 0 ? null : this.clock() + back);
    }

    _go(past) {
      this.past = past;
      if (past === null) this.slider.value = "0";
      this.moved(past);
    }

    show(store, theme) {
      const now = this.clock();
      // What is older than is kept moves on with the time.
      if (this.past !== null && this.past < now - R.KEPT_SECONDS) this.past = now - R.KEPT_SECONDS;
      const back = this.past === null ? 0 : now - this.past;
      if (document.activeElement !== this.slider || this.past !== null) this.slider.value = String(-Math.round(back));
      const said = this.past === null ? R.t(this.connected ? "time.live" : "time.waiting") : R.t("time.shown", { ago: R.ago(back) });
      this.slider.setAttribute("aria-valuetext", said);
      this.state.textContent = said;
      this.element.dataset.state = this.past !== null ? "past" : this.connected ? "live" : "waiting";
      this.button.textContent = this.past === null ? "❚❚" : "▶";
      this.button.setAttribute("aria-label", R.t(this.past === null ? "time.pause" : "time.resume"));
      this._bars(store, theme, now);
    }

    _bars(store, theme, now) {
      const ratio = window.devicePixelRatio || 1;
      const { clientWidth: width, clientHeight: height } = this.canvas;
      if (this.canvas.width !== Math.round(width * ratio)) this.canvas.width = Math.round(width * ratio);
      if (this.canvas.height !== Math.round(height * ratio)) this.canvas.height = Math.round(height * ratio);
      const context = this.canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      const columns = Math.max(1, Math.floor(width / 3));
      const found = Array.from({ length: columns }, () => ({ came: 0, hit: 0, went: 0 }));
      for (const [second, counts] of store.activity) {
        const at = Math.floor((1 - (now - second) / R.KEPT_SECONDS) * columns);
        if (at >= 0 && at < columns) for (const kind of ["came", "hit", "went"]) found[at][kind] += counts[kind];
      }
      const most = Math.max(1, ...found.map((one) => one.came + one.hit + one.went));
      found.forEach((one, i) => {
        let y = height;
        for (const kind of ["hit", "came", "went"]) {
          if (!one[kind]) continue;
          const tall = Math.max(1, (one[kind] / most) * (height - 2));
          context.fillStyle = BARS[theme][kind];
          context.fillRect(i * 3, y - tall, 2, tall);
          y -= tall;
        }
      });
    }
  };
})((window.radixaTree ??= {}));
