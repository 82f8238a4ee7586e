// What a node's colour says: how lately it was used, how often, whose it is, where it lies, whose words they are.
"use strict";
(function (R) {
  const STEPS = 40;
  const RAMPS = {
    recency: {
      dark: ["#26303a", "#2b4a57", "#2c6f78", "#35a08c", "#7ddba0", "#e6f7a8"],
      light: ["#e3e7e4", "#c4dbd3", "#93c9b8", "#4fae97", "#1f8b77", "#075e54"],
    },
    heat: {
      dark: ["#2a2c36", "#4d2f4f", "#8c3554", "#cf4f4e", "#f08f4a", "#ffdf8a"],
      light: ["#ece7e1", "#f4d3a9", "#f0a66b", "#e0704f", "#b73b4a", "#76203f"],
    },
  };
  const TIERS = { device: [165, 46], host: [38, 70], disk: [262, 42] };
  const ROLES = { system: [265, 45], tool: [32, 68], user: [205, 62], assistant: [155, 42], thinking: [330, 45] };
  const OLDEST = 3600; // seconds, from which on all look alike

  const parse = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const mix = (stops, share) => {
    const at = Math.min(share, 0.9999) * (stops.length - 1);
    const low = parse(stops[Math.floor(at)]);
    const high = parse(stops[Math.floor(at) + 1]);
    return low.map((value, i) => Math.round(value + (high[i] - value) * (at % 1)));
  };
  const hsl = (hue, saturation, lightness) => {
    const a = (saturation / 100) * Math.min(lightness, 100 - lightness) / 100;
    return [0, 8, 4].map((n) => {
      const k = (n + hue / 30) % 12;
      return Math.round(255 * (lightness / 100 - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
    });
  };
  // Of the two inks, the one with more contrast.
  const ink = ([r, g, b]) => {
    const linear = [r, g, b].map((v) => ((v /= 255), v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    return light > 0.18 ? "#10151a" : "#f4f7f6";
  };
  const swatch = (rgb) => ({ fill: `rgb(${rgb.join(" ")})`, ink: ink(rgb) });
  const hash = (text) => {
    let found = 2166136261;
    for (let i = 0; i < text.length; i += 1) found = Math.imul(found ^ text.charCodeAt(i), 16777619);
    return found >>> 0;
  };

  R.MODES = ["recency", "heat", "namespace", "tier", "role"];

  // A function from a node to its swatch, and the legend: labels with theirs.
  R.colours = (mode, dark, now, layout) => {
    const theme = dark ? "dark" : "light";
    if (mode === "recency" || mode === "heat") {
      const ramp = Array.from({ length: STEPS }, (_, i) => swatch(mix(RAMPS[mode][theme], i / (STEPS - 1))));
      if (mode === "recency") {
        const scale = (STEPS - 1) / Math.log1p(OLDEST);
        const step = (ago) => STEPS - 1 - Math.min(STEPS - 1, Math.floor(Math.log1p(Math.max(0, ago)) * scale));
        return {
          of: (node) => ramp[step(now - node.used)],
          legend: [0, 10, 60, 600, 3600].map((ago) => [ago ? R.ago(ago) : R.t("time.now"), ramp[step(ago)]]),
        };
      }
      let most = 1;
      for (const node of layout.nodes) most = Math.max(most, node.hits);
      const scale = (STEPS - 1) / Math.log1p(Math.max(8, most));
      const step = (hits) => Math.min(STEPS - 1, Math.floor(Math.log1p(hits) * scale));
      const marks = [...new Set([0, 1, Math.round(Math.sqrt(most)), most])].sort((a, b) => a - b);
      return {
        of: (node) => ramp[step(node.hits)],
        legend: marks.map((hits) => [R.t("legend.hits", { n: R.short(hits) }), ramp[step(hits)]]),
      };
    }
    const known = new Map();
    const found = (key, [hue, saturation]) => {
      let made = known.get(key);
      if (made === undefined) known.set(key, (made = swatch(hsl(hue, saturation, dark ? 46 : 70))));
      return made;
    };
    if (mode === "namespace") {
      // An account and its salted namespaces have one hue, the salts another lightness each.
      const of = (node) => {
        const key = node.namespace;
        let made = known.get(key);
        if (made === undefined) {
          const [account, salt = ""] = key.split("/", 2);
          const lightness = (dark ? 40 : 66) + (salt ? hash(salt) % 16 : 0);
          known.set(key, (made = swatch(hsl(hash(account) % 360, 48, lightness))));
        }
        return made;
      };
      for (const node of layout.nodes.slice(0, layout.levels[1] ?? 0)) if (known.size < 8) of(node);
      return { of, legend: [...known].map(([name, made]) => [R.short_name(name), made]) };
    }
    const table = mode === "tier" ? TIERS : ROLES;
    const plain = [215, 8];
    return {
      of: (node) => found(node[mode], table[node[mode]] ?? plain),
      legend: Object.keys(table).map((key) => [R.t(`${mode}.${key}`), found(key, table[key])]),
    };
  };

  R.short_name = (name) => {
    const [account, salt] = name.split("/", 2);
    const shown = account || R.t("namespace.none");
    return salt ? `${shown} / ${salt.slice(0, 6)}` : shown;
  };
})((window.radixaTree ??= {}));
