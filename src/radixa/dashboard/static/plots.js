// The plots of days: cost and saving as bars, the hit rate as a line. Colours come from the style sheet.
"use strict";

(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const HEIGHT = 168;
  let drawn = [];

  const day = (seconds) => new Date(seconds * 1000).toISOString().slice(5, 10);
  const dollars = (value) => (value == null ? "" : "$" + Number(value.toPrecision(3)));
  const percent = (digits) => (value) => (value == null ? "" : value.toFixed(digits) + " %");

  function axes(format) {
    const text = colour("--soft");
    const grid = { stroke: colour("--line"), width: 1 };
    const common = { stroke: text, font: "12px system-ui, sans-serif", ticks: { show: false } };
    return [
      { ...common, grid: { show: false }, values: (u, marks) => marks.map(day), space: 56, size: 28 },
      { ...common, grid, values: (u, marks) => marks.map(format), size: 60, gap: 6 },
    ];
  }

  const bars = (align) => uPlot.paths.bars({ size: [0.32, 14, 2], align });

  function plot(place, found) {
    const words = found.words;
    const width = Math.max(240, place.clientWidth);
    const money = place.dataset.plot === "money";
    const format = money ? dollars : percent(0);
    const series = money
      ? [
          { label: words.cost, fill: colour("--soft-fill"), stroke: colour("--soft"), width: 1, paths: bars(-1), points: { show: false }, value: (u, v) => dollars(v) },
          { label: words.saved, fill: colour("--accent-fill"), stroke: colour("--accent"), width: 1, paths: bars(1), points: { show: false }, value: (u, v) => dollars(v) },
        ]
      : [{ label: words.hit_rate, stroke: colour("--accent"), width: 2, points: { size: 5 }, spanGaps: true, value: (u, v) => percent(1)(v) }];
    const half = 43200;
    const options = {
      width,
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      padding: [8, 8, 0, 0],
      cursor: { y: false, points: { size: 6 } },
      legend: { live: true },
      scales: {
        x: { time: true, range: (u, low, high) => [low - half, high + half] },
        y: { range: money ? (u, low, high) => [Math.min(0, low ?? 0), (high || 0.000001) * 1.08] : [0, 100] },
      },
      axes: axes(format),
      series: [{ label: words.date, value: (u, v) => (v == null ? "" : new Date(v * 1000).toISOString().slice(0, 10)) }, ...series],
    };
    const data = money ? [found.x, found.cost, found.saved] : [found.x, found.rate];
    place.replaceChildren();
    drawn.push({ place, chart: new uPlot(options, data, place) });
  }

  function draw() {
    drawn.forEach(({ chart }) => chart.destroy());
    drawn = [];
    for (const group of document.querySelectorAll("[data-plots]")) {
      const found = JSON.parse(group.dataset.plots);
      for (const place of group.querySelectorAll("[data-plot]")) plot(place, found);
    }
  }

  let waiting = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => {
      for (const { place, chart } of drawn) chart.setSize({ width: Math.max(240, place.clientWidth), height: HEIGHT });
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.querySelector?.("[data-plots]") || event.target.matches?.("[data-plots]")) draw();
  });
  draw();
})();
