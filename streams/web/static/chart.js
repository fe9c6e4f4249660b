// Lines over time: uPlot with thresholds, bands, and vertical lines for what happened.

import { h, clean, number } from "./dom.js";
import { latest } from "./readings.js";

const STROKES = ["--c1", "--c2", "--c3", "--c4"];
const STYLES = ["solid", "dashed", "dotted", "dashed"];
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const SIGNS = {
  deployed: "D", promoted: "P", rolled_back: "B", rollback_requested: "B", canary_started: "C",
  retraining_started: "T", retraining_finished: "T", retraining_failed: "T", retrain_requested: "R",
  annotation: "A", silence: "S", reference_reset: "N", external: "E", labels_redefined: "L",
  incident_closed: "X", incident_acknowledged: "K", incident_assigned: "K", incident_missed: "M",
};

const DAY = 86_400_000;
const ON_DAYS = ["\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1];
const IN_MINUTES = ["\n{YYYY}-{MM}-{DD} {HH}:{mm}", null, "\n{MM}-{DD} {HH}:{mm}", null, "\n{HH}:{mm}", null, 1];
// What is written at ticks so far apart, and where a year, a day or a minute begins.
const TIMES = [
  [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
  [28 * DAY, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [DAY, "{MMM} {D}", "\n{YYYY}", null, null, null, null, null, 1],
  [60_000, "{HH}:{mm}", ...ON_DAYS], [1000, ":{ss}", ...IN_MINUTES], [1, ":{ss}.{fff}", ...IN_MINUTES],
];

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
  const places = new Map();  // what happened in one place is one line with several signs
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(Date.parse(mark.at), "x", true));
    if (x >= bbox.left && x <= bbox.left + bbox.width) places.set(x, (places.get(x) ?? new Set()).add(signOf(mark)));
  }
  for (const [x, signs] of places) {
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText([...signs].slice(0, 4).join(""), x, bbox.top - 3 * devicePixelRatio);
  }
  ctx.restore();
}

export class Chart {
  // `lines`: [{label, at, values, dash, band: [low, high]}]; they may have different instants.
  constructor(label, height = 190) {
    this.label = label;
    this.height = height;
    this.place = h("div", { class: "plot", role: "img", "aria-label": label });
    this.words = h("p", { class: "legend" });
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
    this.drawn = drawn;
    this.legend(null);
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

  // The lines with their dashes and values: at an instant, else the latest.
  legend(index) {
    if (!this.drawn.length) { this.words.textContent = "Nothing to draw in this time."; return; }
    const at = index == null ? "" : `${new Date(this.plot.data[0][index]).toISOString().slice(0, 16).replace("T", " ")}: `;
    let place = 0;
    this.words.replaceChildren(at, ...this.drawn.map((one, number_) => {
      place += 1;
      const value = index == null ? latest(one.values) : this.plot.data[place][index];
      if (one.band) place += 2;
      const sample = h("i", { "aria-hidden": "true" });
      sample.style.borderTop = `3px ${STYLES[number_ % STYLES.length]} ${css(strokeOf(one, number_))}`;
      if (one.dash) sample.style.borderTopStyle = "dashed";
      return h("span", {}, sample, `${clean(one.label)} `, h("b", {}, number(value)));
    }));
  }

  options(lines) {
    const series = [{}];
    const bands = [];
    lines.forEach((one, index) => {
      const stroke = css(strokeOf(one, index));
      series.push({
        label: one.label, stroke, width: 1.75, dash: one.dash ?? DASHES[index % DASHES.length],
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
      padding: [16, 26, 0, 0],
      tzDate: (at) => uPlot.tzDate(new Date(at), "Etc/UTC"),
      scales: { x: { range: (_, low, high) => this.span ?? [low, high === low ? low + 1 : high] } },
      axes: [{ ...axis, space: 90, values: TIMES }, { ...axis, size: 58, values: (_, ticks) => ticks.map((one) => number(one)) }],
      cursor: { y: false, drag: { x: false, y: false } },
      legend: { show: false },
      hooks: { draw: [(plot) => drawMarks(plot, this.marks)], setCursor: [(plot) => this.legend(plot.cursor.idx)] },
    };
  }
}

const strokeOf = (line, index) => line.stroke ?? STROKES[index % STROKES.length];

export function markList(marks, empty = "Nothing was said or asked for in this time.") {
  if (!marks.length) return h("p", { class: "none" }, empty);
  return h("ul", { class: "marks" }, marks.slice(-30).reverse().map((one) => h("li", {},
    h("b", { class: "sign", "aria-hidden": "true" }, signOf(one)), " ",
    h("time", { datetime: one.at }, one.at.slice(0, 16).replace("T", " ")),
    ` ${one.type.replaceAll("_", " ")}${one.version ? ` (version ${one.version})` : ""}`,
    one.verdict ? `: ${one.verdict.replaceAll("_", " ")}` : "",
    one.note ? `: ${one.note}` : "", one.root_cause ? `, because of ${one.root_cause}` : "", one.author ? ` [${one.author}]` : "")));
}
