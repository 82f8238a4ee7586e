// The server: the tree page by page, its events, and what is asked to be done.
"use strict";
(function (R) {
  const PAGE = 10000;
  const AGAIN = 3000; // milliseconds

  R.Feed = class {
    // `urls`: tree, events, nodes, warm; `token`: the form's.
    constructor(urls, token) {
      this.urls = urls;
      this.token = token;
    }

    // Read the tree once its events are heard, and again whenever too much happened; `told` gets events from then on.
    follow({ loaded, told, connected, failed }) {
      let waiting = null; // events that come while the tree is read
      let round = 0;
      let source = null;
      const read = async (locked) => {
        const mine = (round += 1);
        waiting = [];
        try {
          // Of a large tree there is something to see at once.
          const nodes = await this.tree((part) => mine === round && loaded(part, locked));
          if (mine !== round) return;
          loaded(nodes, locked);
          for (const event of waiting) told(event);
          waiting = null;
        } catch (error) {
          if (mine !== round) return;
          failed(error);
          setTimeout(() => mine === round && read(locked), AGAIN);
        }
      };
      const open = () => {
        source = new EventSource(this.urls.events);
        source.addEventListener("open", (event) => {
          if (event.data === undefined) return; // the connection's own event, not the server's
          connected(true);
          read(JSON.parse(event.data).locked);
        });
        source.addEventListener("changes", (event) => {
          const found = JSON.parse(event.data);
          if (found.reload) read(found.locked ?? null);
          else if (waiting !== null) waiting.push(found);
          else told(found);
        });
        source.addEventListener("error", () => {
          connected(false);
          if (source.readyState === EventSource.CLOSED) setTimeout(open, AGAIN);
        });
      };
      open();
      window.addEventListener("pagehide", () => source.close());
      // A page that comes back out of the browser's cache has missed what happened.
      window.addEventListener("pageshow", (event) => event.persisted && open());
    }

    // All nodes; `first` is given the first page, where there are more.
    async tree(first) {
      const nodes = [];
      for (let after = null; ; ) {
        const query = after === null ? "" : `&after=${after}`;
        const found = await this._ask(`${this.urls.tree}?limit=${PAGE}${query}`);
        const now = Date.now() / 1000;
        for (const row of found.data) nodes.push(R.node(row, now));
        if (!found.has_more) return nodes;
        if (after === null) first([...nodes]);
        after = found.next;
      }
    }

    // What the panel asks for; the words that say what came of it.
    async act(kind, node, text, options) {
      if (kind === "warm") {
        const found = await this._ask(this.urls.warm, { prompt: text, pin: node.pin });
        return R.t("act.warmed", { cached: R.count(found.cached_tokens), written: R.count(found.cache_write_tokens) });
      }
      const url = this.urls.nodes + node.id;
      if (kind === "evict") {
        const found = await this._ask(`${url}/evict`, {});
        return R.t("act.evicted", { n: R.count(found.dropped_tokens) });
      }
      const ttl = node.expires === null ? {} : { cache_ttl_seconds: Math.max(1, Math.round(node.expires - node.used)) };
      const wishes = {
        pin: { pin: true, high_priority: node.priority, ...ttl },
        unpin: { high_priority: node.priority, ...ttl },
        ttl: { pin: node.pin, high_priority: node.priority, cache_ttl_seconds: options.ttl },
        forget: { pin: node.pin },
      };
      const { path } = await this._ask(`${url}/keep`, wishes[kind]);
      const got = path[path.length - 1];
      const held = kind === "pin" ? got.pin : kind === "ttl" ? got.expiry !== null : true;
      if (!held) throw new Error(R.t("act.no_budget"));
      // What is below it is kept, and would be no use without it.
      if (kind === "unpin" && got.pin) throw new Error(R.t("act.still_pinned"));
      if (kind === "forget" && got.expiry !== null) throw new Error(R.t("act.still_kept"));
      return R.t(`act.did_${kind}`);
    }

    async _ask(url, body) {
      const options = body === undefined ? {} : {
        method: "POST",
        headers: { "content-type": "application/json", "x-csrf-token": this.token },
        body: JSON.stringify(body),
      };
      const answer = await fetch(url, { credentials: "same-origin", ...options });
      const found = await answer.json().catch(() => null);
      if (answer.ok && found !== null) return found;
      if (answer.status === 401) window.location.reload();
      throw new Error(found?.error?.message ?? R.t("error.http", { status: answer.status }));
    }
  };
})((window.radixaTree ??= {}));
