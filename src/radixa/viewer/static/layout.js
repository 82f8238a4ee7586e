// Where each node lies: an icicle, a node as wide as its tokens and all below it, level by level.
"use strict";
(function (R) {
  // Arrays by position: level after level, from left to right within one, so that a level is a stretch of them.
  R.layout = (nodes) => {
    const size = nodes.size;
    const list = new Array(size);
    const place = new Map();
    let n = 0;
    for (const [id, node] of nodes) {
      list[n] = node;
      place.set(id, n);
      n += 1;
    }
    const first = new Int32Array(size).fill(-1);
    const last = new Int32Array(size).fill(-1);
    const next = new Int32Array(size).fill(-1);
    const roots = [];
    for (let i = 0; i < size; i += 1) {
      const parent = place.get(list[i].parent);
      if (parent === undefined) roots.push(i);
      else {
        if (last[parent] < 0) first[parent] = i;
        else next[last[parent]] = i;
        last[parent] = i;
      }
    }
    // The namespaces beside each other.
    roots.sort((a, b) => (list[a].namespace < list[b].namespace ? -1 : list[a].namespace > list[b].namespace ? 1 : a - b));

    const order = new Int32Array(size);
    const parents = new Int32Array(size).fill(-1);
    const levels = [0];
    let end = 0;
    for (const root of roots) order[end++] = root;
    let at = 0;
    while (at < end) {
      const stop = end;
      levels.push(stop);
      for (; at < stop; at += 1) {
        for (let child = first[order[at]]; child >= 0; child = next[child]) {
          parents[end] = at;
          order[end++] = child;
        }
      }
    }
    const shown = new Array(end);
    const index = new Map();
    const sums = new Float64Array(end);
    for (let i = 0; i < end; i += 1) {
      shown[i] = list[order[i]];
      index.set(shown[i].id, i);
      sums[i] = shown[i].tokens;
    }
    for (let i = end - 1; i >= 0; i -= 1) if (parents[i] >= 0) sums[parents[i]] += sums[i];
    const left = new Float64Array(end);
    const cursor = new Float64Array(end);
    let total = 0;
    for (let i = 0; i < end; i += 1) {
      const parent = parents[i];
      if (parent < 0) {
        left[i] = total;
        total += sums[i];
      } else {
        left[i] = cursor[parent];
        cursor[parent] += sums[i];
      }
      cursor[i] = left[i];
    }
    return new Layout(shown, index, parents, levels, left, sums, total);
  };

  class Layout {
    constructor(nodes, index, parents, levels, left, width, total) {
      this.nodes = nodes;
      this.index = index; // a node's position by its id
      this.parents = parents;
      this.levels = levels; // where each level begins; one more for the end
      this.left = left;
      this.width = width;
      this.total = total; // tokens
      this.depth = levels.length - 1;
    }

    // The first position of a level whose node ends after `x`, or the level's end.
    from(level, x) {
      let low = this.levels[level];
      let high = this.levels[level + 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.left[middle] + this.width[middle] <= x) low = middle + 1;
        else high = middle;
      }
      return low;
    }

    level(i) {
      let low = 0;
      let high = this.depth;
      while (low < high - 1) {
        const middle = (low + high) >> 1;
        if (this.levels[middle] <= i) low = middle;
        else high = middle;
      }
      return low;
    }

    hit(level, x) {
      if (level < 0 || level >= this.depth) return -1;
      const i = this.from(level, x);
      return i < this.levels[level + 1] && this.left[i] <= x ? i : -1;
    }

    children(i) {
      const level = this.level(i) + 1;
      if (level >= this.depth) return [];
      const found = [];
      for (let j = this.from(level, this.left[i]); j < this.levels[level + 1] && this.parents[j] === i; j += 1) found.push(j);
      return found;
    }

    path(i) {
      const found = [];
      for (; i >= 0; i = this.parents[i]) found.push(i);
      return found.reverse();
    }
  }
})((window.radixaTree ??= {}));
