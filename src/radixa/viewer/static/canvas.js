// Draws what is visible and no more: of each level the nodes in view, and of those narrower than a pixel one for all.
"use strict";
(function (R) {
  const ROW = 24;
  const GAP = 1;
  const LABEL = 34; // pixels, from which on a node has room for words
  const SOON = 60; // seconds to the end of a TTL
  const FLASH = 1600; // milliseconds
  const THEMES = {
    dark: { dim: "rgb(18 23 28 / 72%)", accent: "#ffd866", lock: "#6db3ff", pin: "#ffb454", soon: "#ff6b81", flash: "255 255 255" },
    light: { dim: "rgb(251 251 249 / 76%)", accent: "#b3261e", lock: "#1463c4", pin: "#b35900", soon: "#c2183c", flash: "255 214 10" },
  };

  R.ROW = ROW;
  R.SOON = SOON;
  R.marks = (theme) => THEMES[theme];

  R.Canvas = class {
    constructor(canvas) {
      this.element = canvas;
      this.context = canvas.getContext("2d", { alpha: false });
      this.width = 0;
      this.height = 0;
      this.flashes = new Map(); // by id: {since, kind}
      this.pictures = 0;
    }

    // Fit the element; true where that changed something.
    resize() {
      const ratio = Math.min(3, window.devicePixelRatio || 1);
      const { clientWidth: width, clientHeight: height } = this.element;
      if (width === this.width && height === this.height && ratio === this.ratio) return false;
      [this.width, this.height, this.ratio] = [width, height, ratio];
      this.element.width = Math.max(1, Math.round(width * ratio));
      this.element.height = Math.max(1, Math.round(height * ratio));
      return true;
    }

    get rows() {
      return this.height / ROW;
    }

    flash(ids, kind) {
      const since = performance.now();
      for (const id of ids.slice(0, 2000)) this.flashes.set(id, { since, kind });
    }

    // `scene`: layout, colours, theme, paper, now, view {left, right, top}, locked, selected, hovered, found, searching,
    // still (nothing moves), coarse (everything does).
    // Whether another picture is due soon because something fades.
    draw(scene) {
      const { context, width, height, ratio } = this;
      const { layout, view } = scene;
      const theme = { ...THEMES[scene.theme], paper: scene.paper };
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.globalAlpha = 1;
      context.fillStyle = theme.paper;
      context.fillRect(0, 0, width, height);
      const scale = width / (view.right - view.left);
      const lowest = Math.min(layout.depth, Math.ceil(view.top + this.rows));
      context.font = "500 12px ui-sans-serif, system-ui, sans-serif";
      context.textBaseline = "middle";
      for (let level = Math.max(0, Math.floor(view.top)); level < lowest; level += 1) {
        this._level(scene, theme, level, (level - view.top) * ROW, scale);
      }
      const fading = this._flash(scene, theme, scale);
      if (scene.hovered >= 0) this._outline(scene, scene.hovered, scale, theme.accent, 1);
      if (scene.selected >= 0) this._outline(scene, scene.selected, scale, theme.accent, 2.5);
      this.pictures += 1;
      return fading;
    }

    _level(scene, theme, level, y, scale) {
      const { context, width } = this;
      const { layout, view, colours } = scene;
      const { left, width: widths, nodes } = layout;
      const end = layout.levels[level + 1];
      const tall = ROW - GAP;
      // Pixels that are not told apart: while the view moves, nobody sees one.
      const grain = scene.coarse ? 2 : 1;
      let i = layout.from(level, view.left);
      let fill = "";
      while (i < end && left[i] < view.right) {
        const node = nodes[i];
        const x = (left[i] - view.left) * scale;
        const wide = widths[i] * scale;
        const swatch = colours.of(node);
        if (wide < 1.5 * grain) {
          // All that share this pixel, as one; the next is looked for, not counted.
          const pixel = Math.floor(x / grain) * grain;
          if (swatch.fill !== fill) context.fillStyle = fill = swatch.fill;
          const next = Math.max(i + 1, layout.from(level, view.left + (pixel + grain) / scale));
          const last = next - 1;
          const reach = (left[last] + widths[last] - view.left) * scale;
          context.fillRect(x, y, Math.max(0.7, Math.min(reach, pixel + grain + 0.2) - x), tall);
          i = next;
          continue;
        }
        const from = Math.max(0, x);
        const to = Math.min(width, x + wide);
        if (swatch.fill !== fill) context.fillStyle = fill = swatch.fill;
        context.fillRect(from, y, Math.max(1, to - from - (wide > 3 ? GAP : 0)), tall);
        if (wide > 5) {
          this._marks(scene, theme, node, from, to - GAP, y, wide);
          if (to - from > LABEL) this._label(node, swatch, from, to, y, scene.locked.has(node.id));
          fill = "";
        }
        i += 1;
      }
      if (scene.searching) this._found(scene, theme, level, y, scale);
    }

    _marks(scene, theme, node, from, to, y, wide) {
      const { context } = this;
      if (scene.locked.has(node.id)) {
        context.fillStyle = theme.lock;
        context.fillRect(from, y, to - from, 3);
      }
      const left = node.expires === null ? null : node.expires - scene.now;
      if (left !== null && left > 0) {
        context.fillStyle = left < SOON ? theme.soon : theme.pin;
        if (left < SOON) {
          for (let x = from; x < to; x += 8) context.fillRect(x, y + ROW - GAP - 3, Math.min(5, to - x), 3);
        } else context.fillRect(from, y + ROW - GAP - 2, to - from, 2);
      }
      if ((node.pin || node.priority) && wide > 8) {
        context.fillStyle = theme.pin;
        context.beginPath();
        context.moveTo(to, y);
        context.lineTo(to - 9, y);
        context.lineTo(to, y + 9);
        context.fill();
      }
    }

    _label(node, swatch, from, to, y, locked) {
      const { context } = this;
      const room = to - from - 12;
      const text = node.text === null ? R.t("label.tokens", { n: R.short(node.tokens) }) : this._words(node, room);
      if (!text) return;
      context.save();
      context.beginPath();
      context.rect(from, y, to - from - 4, ROW);
      context.clip();
      context.fillStyle = swatch.ink;
      context.fillText(text, from + 6, y + ROW / 2 + (locked ? 1 : 0));
      context.restore();
    }

    // As many characters as there may be room for; kept with the node, since a text is cut at every picture.
    _words(node, room) {
      const characters = Math.min(400, Math.ceil(room / 4.5));
      if (node.line === undefined || node.lineRoom < characters) {
        node.lineRoom = Math.min(400, characters * 2);
        node.line = R.line(node.text, node.lineRoom);
      }
      return node.line;
    }

    _found(scene, theme, level, y, scale) {
      const { context, width } = this;
      const { layout, view, found } = scene;
      const tall = ROW - GAP;
      context.fillStyle = theme.dim;
      context.fillRect(0, y, width, tall);
      context.fillStyle = theme.accent;
      const begin = lower(found, layout.from(level, view.left));
      let until = -1;
      for (let k = begin; k < found.length && found[k] < layout.levels[level + 1]; k += 1) {
        const i = found[k];
        if (layout.left[i] >= view.right) break;
        const x = Math.max(0, (layout.left[i] - view.left) * scale);
        const to = Math.min(width, (layout.left[i] + layout.width[i] - view.left) * scale);
        if (to < until) continue;
        if (to - x < 3) {
          context.fillRect(x - 0.5, y, 3, tall);
          until = x + 2;
          continue;
        }
        const swatch = scene.colours.of(layout.nodes[i]);
        context.fillStyle = swatch.fill;
        context.fillRect(x, y, to - x - GAP, tall);
        if (to - x > LABEL) this._label(layout.nodes[i], swatch, x, to, y, false);
        context.fillStyle = theme.accent;
        context.fillRect(x, y + tall - 3, to - x - GAP, 3);
      }
    }

    _flash(scene, theme, scale) {
      if (!this.flashes.size) return false;
      const { context } = this;
      const { layout, view } = scene;
      const now = performance.now();
      for (const [id, { since, kind }] of this.flashes) {
        const share = (now - since) / FLASH;
        const i = layout.index.get(id);
        if (share >= 1 || i === undefined) {
          if (share >= 1) this.flashes.delete(id);
          continue;
        }
        const y = (layout.level(i) - view.top) * ROW;
        const x = (layout.left[i] - view.left) * scale;
        const wide = Math.max(2, layout.width[i] * scale);
        if (y < -ROW || y > this.height || x > this.width || x + wide < 0) continue;
        const strength = scene.still ? 0.5 : 1 - share;
        context.fillStyle = `rgb(${theme.flash} / ${Math.round(strength * (kind === "added" ? 75 : 40))}%)`;
        context.fillRect(x, y, wide - GAP, ROW - GAP);
      }
      return this.flashes.size > 0;
    }

    _outline(scene, i, scale, colour, thick) {
      const { context } = this;
      const { layout, view } = scene;
      if (i >= layout.nodes.length) return;
      const x = (layout.left[i] - view.left) * scale;
      const y = (layout.level(i) - view.top) * ROW;
      const from = Math.max(-4, x);
      const to = Math.min(this.width + 4, x + Math.max(3, layout.width[i] * scale));
      if (y < -ROW || y > this.height || to < 0 || from > this.width) return;
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.strokeRect(from + thick / 2, y + thick / 2, to - from - thick - GAP, ROW - GAP - thick);
    }
  };

  // The first place of a sorted list whose value is not below `value`.
  function lower(list, value) {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
})((window.radixaTree ??= {}));
