// Which part of the tree is in view, and how it gets there: by wheel, drag, pinch, click and keys.
"use strict";
(function (R) {
  const GLIDE = 260; // milliseconds
  const CLOSEST = 4; // tokens that fill the width at most

  R.Viewport = class {
    // `changed` is called when the view is another, `picked(i)` when a node is.
    constructor(canvas, changed, picked, hovered) {
      this.canvas = canvas;
      this.changed = changed;
      this.view = { left: 0, right: 1, top: 0 };
      this.layout = null;
      this.goal = null;
      this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
      this._listen(canvas.element, picked, hovered);
    }

    // Another layout of (almost) the same nodes: what was in view stays, as far as it can.
    show(layout, anchor) {
      const old = this.layout;
      this.layout = layout;
      if (old === null || old.total === 0 || this.whole(old)) this.view = { left: 0, right: Math.max(1, layout.total), top: this.view.top };
      else if (anchor !== undefined && old.index.has(anchor) && layout.index.has(anchor)) {
        const before = old.index.get(anchor);
        const after = layout.index.get(anchor);
        const grown = layout.width[after] / old.width[before];
        const left = layout.left[after] + (this.view.left - old.left[before]) * grown;
        this.view = { left, right: left + (this.view.right - this.view.left) * grown, top: this.view.top };
      }
      this.goal = null;
      this._hold(this.view);
    }

    whole(layout = this.layout) {
      return this.view.left <= 0 && this.view.right >= layout.total;
    }

    // The node over the whole width, with the one above it in sight.
    focus(i) {
      if (i < 0) this.glide({ left: 0, right: this.layout.total, top: 0 });
      else {
        const left = this.layout.left[i];
        this.glide({ left, right: left + this.layout.width[i], top: Math.max(0, this.layout.level(i) - 2) });
      }
    }

    // As little as needed to have the node in sight.
    reveal(i) {
      const { left, right, top } = this.view;
      const [x, wide, level] = [this.layout.left[i], this.layout.width[i], this.layout.level(i)];
      const goal = { left, right, top };
      const span = right - left;
      if (wide > span) [goal.left, goal.right] = [x, x + wide];
      else if (wide < span / this.canvas.width * 6) [goal.left, goal.right] = [x - wide * 4, x + wide * 5];
      else if (x < left || x + wide > right) {
        goal.left = Math.max(0, x + wide / 2 - span / 2);
        goal.right = goal.left + span;
      }
      if (level < top) goal.top = level;
      if (level > top + this.canvas.rows - 1.5) goal.top = level - this.canvas.rows + 2;
      this.glide(goal);
    }

    zoom(factor, at = 0.5) {
      const { left, right, top } = this.goal ?? this.view;
      const span = Math.max(CLOSEST, Math.min(this.layout.total, (right - left) * factor));
      const x = left + (right - left) * at;
      this.glide({ left: x - span * at, right: x - span * at + span, top }, 120);
    }

    pan(share, rows) {
      const { left, right, top } = this.goal ?? this.view;
      const by = (right - left) * share;
      this.glide({ left: left + by, right: right + by, top: top + rows }, 120);
    }

    glide(goal, time = GLIDE) {
      this._hold(goal);
      if (this.still.matches) {
        this.view = goal;
        this.goal = null;
      } else {
        this.goal = { ...goal, from: { ...this.view }, since: performance.now(), time };
      }
      this.changed();
    }

    // One step of a glide, for the picture at `now`; whether it goes on.
    step(now) {
      if (this.goal === null) return false;
      const { from, since, time } = this.goal;
      const share = Math.min(1, Math.max(0, (now - since) / time));
      const eased = 1 - (1 - share) ** 3;
      for (const side of ["left", "right", "top"]) this.view[side] = from[side] + (this.goal[side] - from[side]) * eased;
      if (share >= 1) {
        const { left, right, top } = this.goal;
        this.view = { left, right, top };
        this.goal = null;
      }
      return this.goal !== null;
    }

    _hold(view) {
      const total = Math.max(1, this.layout.total);
      let span = Math.min(total, Math.max(CLOSEST, view.right - view.left));
      if (!(span > 0)) span = total;
      view.left = Math.min(Math.max(0, view.left), total - span);
      view.right = view.left + span;
      view.top = Math.min(Math.max(0, view.top), Math.max(0, this.layout.depth - this.canvas.rows + 0.5));
    }

    _place(event) {
      const box = this.canvas.element.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width;
      const level = Math.floor((event.clientY - box.top) / R.ROW + this.view.top);
      return { x, i: this.layout.hit(level, this.view.left + x * (this.view.right - this.view.left)) };
    }

    _now(view) {
      this._hold(view);
      this.view = view;
      this.goal = null;
      this.changed();
    }

    _listen(element, picked, hovered) {
      const pointers = new Map();
      let moved = 0;
      element.addEventListener("pointerdown", (event) => {
        if (event.button > 0 || this.layout === null) return;
        pointers.set(event.pointerId, event);
        moved = pointers.size > 1 ? Infinity : 0;
        element.setPointerCapture(event.pointerId);
      });
      element.addEventListener("pointermove", (event) => {
        if (this.layout === null) return;
        const before = pointers.get(event.pointerId);
        if (before === undefined) {
          hovered(this._place(event).i, event);
          return;
        }
        const width = element.clientWidth;
        const { left, right, top } = this.view;
        const span = right - left;
        moved += Math.abs(event.clientX - before.clientX) + Math.abs(event.clientY - before.clientY);
        if (pointers.size === 1 && moved > 5) {
          const by = ((before.clientX - event.clientX) / width) * span;
          this._now({ left: left + by, right: right + by, top: top + (before.clientY - event.clientY) / R.ROW });
        } else if (pointers.size === 2) {
          const [other] = [...pointers.values()].filter((one) => one.pointerId !== event.pointerId);
          const was = Math.abs(before.clientX - other.clientX) || 1;
          const is = Math.abs(event.clientX - other.clientX) || 1;
          const box = element.getBoundingClientRect();
          const at = ((event.clientX + other.clientX) / 2 - box.left) / width;
          const next = span * Math.min(2, Math.max(0.5, was / is));
          const x = left + span * at;
          this._now({ left: x - next * at, right: x - next * at + next, top });
        }
        pointers.set(event.pointerId, event);
      });
      const over = (event) => {
        const down = pointers.delete(event.pointerId);
        if (event.type === "pointerup" && down && moved <= 5) picked(this._place(event).i);
      };
      element.addEventListener("pointerup", over);
      element.addEventListener("pointercancel", over);
      element.addEventListener("pointerleave", () => hovered(-1, null));
      element.addEventListener(
        "wheel",
        (event) => {
          if (this.layout === null) return;
          const { left, right, top } = this.view;
          const span = right - left;
          const unit = event.deltaMode ? 30 : 1;
          if (event.ctrlKey || event.metaKey || event.altKey) {
            event.preventDefault();
            const factor = Math.exp(Math.max(-60, Math.min(60, event.deltaY * unit)) * 0.01);
            const next = Math.max(CLOSEST, Math.min(this.layout.total, span * factor));
            const at = this._place(event).x;
            const x = left + span * at;
            this._now({ left: x - next * at, right: x - next * at + next, top });
            return;
          }
          const by = (event.deltaX + (event.shiftKey ? event.deltaY : 0)) * unit;
          const rows = event.shiftKey ? 0 : (event.deltaY * unit) / R.ROW;
          const view = { left: left + (by / element.clientWidth) * span, top: top + rows };
          view.right = view.left + span;
          this._hold(view);
          // At the tree's end the page goes on scrolling.
          if (view.top === top && view.left === left) return;
          event.preventDefault();
          this._now(view);
        },
        { passive: false },
      );
    }
  };
})((window.radixaTree ??= {}));
