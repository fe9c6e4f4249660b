// The heat strip: signals by time, darker the nearer to the threshold; a breach is hatched as well
// as coloured, and said in words at the end of its row.

import { h, fill } from "./dom.js";

const NOTHING = -2;
const UNJUDGED = -1;
const HEIGHT = 15;
const MOST = 999;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function paint(canvas, shares, colours, shown) {
  const scale = devicePixelRatio;
  const width = Math.max(shares.length, Math.round((shown || 600) * scale));
  const height = Math.round(HEIGHT * scale);
  canvas.width = width;
  canvas.height = height;
  const ctx = canvas.getContext("2d");
  shares.forEach((share, index) => {
    if (share === NOTHING) return;
    const left = Math.floor((index * width) / shares.length);
    const size = Math.max(1, Math.floor(((index + 1) * width) / shares.length) - left);
    if (share === UNJUDGED) ctx.fillStyle = colours.line;
    else if (share >= 100) ctx.fillStyle = colours.hot;
    else ctx.fillStyle = `rgb(${colours.heat} / ${0.16 + (0.78 * share) / 100})`;
    ctx.fillRect(left, 0, size, height);
    if (share >= 100) {
      ctx.fillStyle = colours.card;
      for (let y = 2 * scale; y < height; y += 4 * scale) ctx.fillRect(left, y, size, scale);
    }
  });
}

const peakOf = (shares) => Math.max(...shares);

export function key() {
  return h("p", { class: "key" },
    h("span", {}, h("i", { class: "low" }), "quiet"), h("span", {}, h("i", { class: "near" }), "near its threshold"),
    h("span", {}, h("i", { class: "over" }), "breach (hatched)"),
    h("span", {}, h("i", { class: "few" }), "too few rows"), h("span", {}, h("i"), "no reading"));
}

// `strip`: the answer of /v1/heat. The signals with the highest peaks come first.
export function show(place, strip, chosen, choose) {
  const order = strip.signals.map((name, index) => [name, strip.shares[index]])
    .sort((a, b) => peakOf(b[1]) - peakOf(a[1]) || a[0].localeCompare(b[0]));
  if (!order.length) {
    fill(place, h("p", { class: "none" }, "No signal was read in this time."));
    return;
  }
  const hours = (index) => new Date(strip.edges[index]).toISOString().slice(0, 16).replace("T", " ");
  const cells = [];
  for (const [name, shares] of order) {
    const peak = peakOf(shares);
    const breaches = shares.filter((one) => one >= 100).length;
    const canvas = h("canvas", { role: "img",
      "aria-label": `${name}: at most ${peak} per cent of its threshold, ${breaches} breaches` });
    canvas.addEventListener("mousemove", (event) => {
      const index = Math.min(shares.length - 1, Math.floor((event.offsetX / canvas.clientWidth) * shares.length));
      const said = { [NOTHING]: "no reading", [UNJUDGED]: "too few rows" }[shares[index]]
        ?? `${shares[index]} % of its threshold`;
      canvas.title = `${name}, until ${hours(index + 1)}: ${said}`;
    });
    canvas.shares = shares;
    cells.push(
      h("button", { type: "button", "data-key": `heat-${name}`, title: name,
        "aria-pressed": String(name === chosen), onclick: () => choose(name) }, name.replace(/^feature:/, "")),
      canvas,
      h("span", { class: `peak${breaches ? " breach" : ""}` },
        peak < 0 ? "–" : breaches ? [`■ ${peak >= MOST ? `over ${MOST}` : peak} %`, h("span", { class: "long" }, " breach")] : `${peak} %`));
  }
  const grid = h("div", { class: "heat" }, cells);
  fill(place, grid);
  const colours = { heat: css("--heat"), hot: css("--hot"), card: css("--card"), line: css("--line") };
  const canvases = [...grid.querySelectorAll("canvas")];
  const widest = canvases[0].clientWidth;  // read once: asking after each painting costs a layout
  for (const canvas of canvases) paint(canvas, canvas.shares, colours, widest);
}
