// Lines over time: uPlot with thresholds, bands, and vertical lines for what happened.

import { h, clean, number } from "./dom.js";

const STROKES = ["--c1", "--c2", "--c3", "--c4"];
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const SIGNS = {
  deployed: "D", promoted: "P", rolled_back: "B", rollback_requested: "B", canary_started: "C",
  retraining_started: "T", retraining_finished: "T", retraining_failed: "T", retrain_requested: "R",
  annotation: "A", silence: "S", reference_reset: "N", external: "E", labels_redefined: "L",
  incident_closed: "X", incident_acknowledged: "K", incident_assigned: "K", incident_missed: "M",
};

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const signOf = (mark) => SIGNS[mark.type] ?? "•";

function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = css("--mark");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.font = `${11 * devicePixelRatio}px system-ui`;
  ctx.textAlign = "center";
  for (const mark of marks) {
    const x = plot.valToPos(Date.parse(mark.at), "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(signOf(mark), x, bbox.top - 3 * devicePixelRatio);
  }
  ctx.restore();
}

export class Chart {
  // `lines`: [{label, at, values, dash, band: [low, high]}]; they may have different instants.
  constructor(label, height = 190) {
    this.label = label;
    this.height = height;
    this.place = h("div", { class: "plot", role: "img", "aria-label": label });
    this.words = h("p", { class: "plotwords" });
    this.element = h("figure", {}, this.place, this.words);
    this.plot = null;
    this.shape = "";
    this.marks = [];
    new ResizeObserver(() => this.resize()).observe(this.place);
    addEventListener("repaint", () => { this.shape = ""; this.redraw(); });
  }

  resize() {
    const width = this.place.clientWidth;
    if (this.plot && width && width !== this.plot.width) this.plot.setSize({ width, height: this.height });
  }

  redraw() { if (this.lines) this.show(this.lines, this.marks, this.span); }

  show(lines, marks = [], span = null) {
    Object.assign(this, { lines, marks, span });
    const drawn = lines.filter((one) => one.at.length);
    this.words.textContent = drawn.length ? drawn.map(latest).join("  ·  ") : "Nothing to draw in this time.";
    this.place.hidden = !drawn.length;
    if (!drawn.length) { this.plot?.destroy(); this.plot = null; this.shape = ""; return; }
    const tables = [];
    for (const one of drawn) {
      tables.push([one.at, one.values, ...(one.band ?? [])]);
    }
    const data = uPlot.join(tables);
    const shape = JSON.stringify(drawn.map((one) => [one.label, Boolean(one.band)]));
    if (this.plot && shape === this.shape) { this.plot.setData(data); return; }
    this.plot?.destroy();
    this.shape = shape;
    this.plot = new uPlot(this.options(drawn), data, this.place);
  }

  options(lines) {
    const series = [{}];
    const bands = [];
    lines.forEach((one, index) => {
      const stroke = css(one.stroke ?? STROKES[index % STROKES.length]);
      series.push({
        label: one.label, stroke, width: 2, dash: one.dash ?? DASHES[index % DASHES.length],
        spanGaps: true, points: { show: one.at.length < 40, size: 5 },
        value: (_, value) => number(value),
      });
      if (one.band) {
        const at = series.length;
        for (const side of ["low", "high"]) {
          series.push({ label: `${one.label} ${side}`, stroke: "transparent", spanGaps: true,
            points: { show: false }, value: (_, value) => number(value) });
        }
        bands.push({ series: [at + 1, at], fill: `${stroke}22` });
      }
    });
    const axis = { stroke: css("--dim"), grid: { stroke: css("--line"), width: 1 },
      ticks: { stroke: css("--line"), width: 1 }, font: "11px system-ui" };
    return {
      width: this.place.clientWidth || 600, height: this.height, ms: 1, series, bands,
      padding: [16, 8, 0, 0],
      tzDate: (at) => uPlot.tzDate(new Date(at), "Etc/UTC"),
      scales: { x: { range: (_, low, high) => this.span ?? [low, high === low ? low + 1 : high] } },
      axes: [{ ...axis, space: 90 }, { ...axis, size: 58, values: (_, ticks) => ticks.map((one) => number(one)) }],
      cursor: { y: false, drag: { x: false, y: false } },
      legend: { live: true },
      hooks: { draw: [(plot) => drawMarks(plot, this.marks)] },
    };
  }
}

function latest(line) {
  let last = line.values.length - 1;
  while (last >= 0 && line.values[last] == null) last -= 1;
  return `${clean(line.label)} ${last < 0 ? "–" : number(line.values[last])}`;
}

export function markList(marks) {
  if (!marks.length) return h("p", { class: "none" }, "Nothing was said or asked for in this time.");
  return h("ul", { class: "marks" }, marks.slice(-30).reverse().map((one) => h("li", {},
    h("b", { class: "sign", "aria-hidden": "true" }, signOf(one)), " ",
    h("time", { datetime: one.at }, one.at.slice(0, 16).replace("T", " ")),
    ` ${one.type.replaceAll("_", " ")}${one.version ? ` (version ${one.version})` : ""}`,
    one.verdict ? `: ${one.verdict.replaceAll("_", " ")}` : "",
    one.note ? `: ${one.note}` : "", one.author ? ` [${one.author}]` : "")));
}
