// The nodes, as they are now and as they were in the last minutes.
"use strict";
(function (R) {
  const KEPT_SECONDS = 600;
  const MOST_CHANGES = 200000; // of nodes, that the past is made of

  R.KEPT_SECONDS = KEPT_SECONDS;

  // A node of the server's answers. Ages become times, in seconds since 1970.
  R.node = (row, now) => ({
    id: row.id,
    parent: row.parent,
    namespace: row.namespace ?? "",
    depth: row.depth ?? null,
    tokens: row.tokens,
    text: row.text ?? null,
    hits: row.hits,
    used: now - row.last_use,
    made: row.age === undefined || row.age === null ? null : now - row.age,
    locked: Boolean(row.locked),
    role: row.role ?? "",
    session: row.session_id ?? null,
    priority: Boolean(row.priority),
    pin: Boolean(row.pin),
    expires: row.expiry === undefined || row.expiry === null ? null : now + row.expiry,
    tier: row.tier ?? "device",
    line: undefined, // what `canvas.js` keeps of its text
    lineRoom: 0,
  });

  // The nodes of a file, still without their texts, whose rows are arrays in the order of `fields`: a hundred thousand of them are made at once.
  R.rows = ({ fields, nodes }, now) => {
    const [id, parent, namespace, depth, tokens, hits, used, age, locked, role, session, priority, pin, expiry, tier] = [
      "id", "parent", "namespace", "depth", "tokens", "hits", "last_use", "age", "locked", "role", "session_id", "priority", "pin", "expiry", "tier",
    ].map((name) => fields.indexOf(name));
    return nodes.map((row) => ({
      id: row[id],
      parent: row[parent],
      namespace: row[namespace] ?? "",
      depth: row[depth],
      tokens: row[tokens],
      text: null,
      hits: row[hits],
      used: now - row[used],
      made: row[age] === null ? null : now - row[age],
      locked: Boolean(row[locked]),
      role: row[role] ?? "",
      session: row[session],
      priority: Boolean(row[priority]),
      pin: Boolean(row[pin]),
      expires: row[expiry] === null ? null : now + row[expiry],
      tier: row[tier] ?? "device",
      line: undefined,
      lineRoom: 0,
    }));
  };

  R.Store = class {
    constructor(now) {
      this.now = now; // a function: seconds since 1970
      this.clear();
    }

    clear() {
      this.nodes = new Map();
      this.locked = new Set();
      this.changes = []; // {time, id, before}: what undoes each change, oldest first
      this.activity = new Map(); // by second: tokens that came, were hit, went
      this.begun = this.now();
      this.version = 0;
    }

    // The whole tree, as it was read at `time`.
    load(nodes) {
      this.clear();
      for (const node of nodes) {
        this.nodes.set(node.id, node);
        if (node.locked) this.locked.add(node.id);
      }
      this.version += 1;
    }

    // One event of the server's (removals, nodes, touches, locked). Returns what is to be shown: ids by kind.
    apply(event) {
      const time = this.now();
      const shown = { added: [], hit: [], removed: [] };
      for (const [id] of event.removals ?? []) {
        const before = this.nodes.get(id);
        if (before === undefined) continue;
        this._change(time, id, null);
        this._count(time, "went", before.tokens);
        shown.removed.push(before);
      }
      for (const row of event.nodes ?? []) {
        const node = R.node(row, time);
        const before = this.nodes.get(node.id);
        this._change(time, node.id, node);
        if (before === undefined || node.tokens > before.tokens) shown.added.push(node.id);
        // A split makes a node of tokens that were there before: those are no news.
        if (before === undefined && (node.made === null || time - node.made < 5)) this._count(time, "came", node.tokens);
        else if (before !== undefined) this._count(time, "came", Math.max(0, node.tokens - before.tokens));
      }
      for (const [id, hits, ago, pin, priority, expiry] of event.touches ?? []) {
        const before = this.nodes.get(id);
        if (before === undefined) continue;
        const expires = expiry === null ? null : time + expiry;
        this._change(time, id, { ...before, hits, used: time - ago, pin, priority, expires });
        if (hits > before.hits) {
          this._count(time, "hit", (hits - before.hits) * before.tokens);
          shown.hit.push(id);
        }
      }
      if (event.locked !== undefined && event.locked !== null) this.lock(event.locked);
      this._forget(time);
      this.version += 1;
      return shown;
    }

    // The paths that running requests hold, by their last nodes.
    lock(ends) {
      this.locked = new Set();
      for (let id of ends) {
        while (id && !this.locked.has(id) && this.nodes.has(id)) {
          this.locked.add(id);
          id = this.nodes.get(id).parent;
        }
      }
      this.version += 1;
    }

    // The nodes as they were at `time`: the changes since, undone.
    at(time) {
      const nodes = new Map(this.nodes);
      for (let i = this.changes.length - 1; i >= 0 && this.changes[i].time > time; i -= 1) {
        const { id, before } = this.changes[i];
        if (before === null) nodes.delete(id);
        else nodes.set(id, before);
      }
      return nodes;
    }

    // The text of the path down to a node; null where part of it is not to be read.
    path(id, nodes = this.nodes) {
      const texts = [];
      for (let node = nodes.get(id); node !== undefined; node = nodes.get(node.parent)) {
        if (node.text === null) return null;
        texts.push(node.text);
      }
      return texts.reverse().join("");
    }

    _change(time, id, after) {
      this.changes.push({ time, id, before: this.nodes.get(id) ?? null });
      if (after === null) this.nodes.delete(id);
      else this.nodes.set(id, after);
    }

    _count(time, kind, tokens) {
      const second = Math.floor(time);
      let found = this.activity.get(second);
      if (found === undefined) this.activity.set(second, (found = { came: 0, hit: 0, went: 0 }));
      found[kind] += tokens;
    }

    _forget(now) {
      let gone = Math.max(0, this.changes.length - MOST_CHANGES);
      while (gone < this.changes.length && this.changes[gone].time < now - KEPT_SECONDS) gone += 1;
      if (gone > 1000 || gone === this.changes.length) {
        if (gone) this.begun = Math.max(this.begun, this.changes[gone - 1].time);
        this.changes.splice(0, gone);
      }
      for (const second of this.activity.keys()) {
        if (second >= now - KEPT_SECONDS) break;
        this.activity.delete(second);
      }
    }
  };
})((window.radixaTree ??= {}));
