// Words, numbers and elements: everything that becomes text on the page goes through here, and only as text.
"use strict";
(function (R) {
  let words = {};
  let language = "en";

  R.speak = (chosen, found) => {
    language = chosen;
    words = found;
  };
  R.language = () => language;
  R.t = (key, values = {}) =>
    (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));

  R.count = (number) => new Intl.NumberFormat(language).format(number);
  R.short = (number) =>
    new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 }).format(number);
  R.percent = (share) =>
    new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 }).format(share);
  R.dollars = (value) =>
    new Intl.NumberFormat(language, {
      style: "currency",
      currency: "USD",
      minimumFractionDigits: 2,
      maximumFractionDigits: value && value < 0.01 ? 6 : 2,
    }).format(value);
  R.bytes = (number) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (number >= 1024 && unit < units.length - 1) {
      number /= 1024;
      unit += 1;
    }
    return `${new Intl.NumberFormat(language, { maximumFractionDigits: unit ? 1 : 0 }).format(number)} ${units[unit]}`;
  };
  R.duration = (seconds) => {
    if (seconds < 60) return R.t("time.seconds", { n: Math.max(0, Math.round(seconds)) });
    if (seconds < 3600) return R.t("time.minutes", { n: Math.round(seconds / 60) });
    if (seconds < 86400) return R.t("time.hours", { n: (seconds / 3600).toFixed(1) });
    return R.t("time.days", { n: (seconds / 86400).toFixed(1) });
  };
  R.ago = (seconds) => (seconds < 1 ? R.t("time.now") : R.t("time.ago", { time: R.duration(seconds) }));

  // A text on one line, with a sign for each control character: what prompts hold may look like anything.
  R.line = (text, length) => {
    const cut = text.slice(0, length * 2).replace(/\s+/g, " ").trim();
    const seen = R.visible(cut);
    return seen.length > length ? `${seen.slice(0, length)}…` : seen;
  };
  R.visible = (text) =>
    text.replace(/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, (sign) => {
      const code = sign.charCodeAt(0);
      return code < 32 ? String.fromCharCode(0x2400 + code) : code === 127 ? "\u2421" : "\ufffd";
    });

  // An element. `options`: attributes; `text`, `on` (listeners by event) and `class` by their names.
  R.el = (name, options = {}, children = []) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(options)) {
      if (value === undefined || value === null || value === false) continue;
      if (key === "text") element.textContent = value;
      else if (key === "class") element.className = value;
      else if (key === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
      else if (key in element && typeof value !== "string") element[key] = value;
      else element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
})((window.radixaTree ??= {}));
