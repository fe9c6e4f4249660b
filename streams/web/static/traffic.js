// How a model answers: rows, latency and failures as counted, and the figures that are judged.

import { ask } from "./api.js";
import { Chart } from "./chart.js";
import { fill, h, instant, number, panel, percent, state, table } from "./dom.js";
import { figures, latest } from "./readings.js";

const COUNTED = ["latency_ms", "failed"];
export const SENT = ["operational:*", "queue_depth", "cost", "metric:*latency*", "metric:*error*",
  "metric:*cpu*", "metric:*memory*", "metric:*throughput*", "metric:*timeout*"];

const MOST = 4;  // versions in a picture

export class Traffic {
  constructor() {
    this.rows = new Chart("Rows in each window", 150);
    this.counted = h("div", { id: "counted" });
    this.latency = new Chart("Latency of half of the predictions", 130);
    this.failed = new Chart("Failed predictions", 130);
    this.judged = h("div", { id: "operational" });
    this.elements = [
      h("div", { class: "half" }, panel("Throughput of the model chosen", this.rows.element),
        panel("Operational figures that are judged", this.judged)),
      h("div", { class: "half" }, panel("Latency and errors of the model chosen", this.counted,
        this.latency.element, this.failed.element))];
  }

  async show(model, when, marks) {
    const [drawn, ...counted] = !model ? [{ series: [] }] : await Promise.all([
      ask("/v1/history", { model, segment: "*", points: 300, ...when, signal: ["volume", ...COUNTED, ...SENT] }),
      ...COUNTED.map((signal) => ask("/v1/readings", { model, signal, segment: "*", monitor: `${signal}/summary` }))]);
    const of = (signal) => drawn.series.filter((one) => one.signal === signal && ["rate", "summary"].includes(one.detector)).slice(-MOST);
    const named = (series, word, values) => series.map((one) => ({
      label: series.length > 1 ? `${word}, version ${one.version}` : word, at: one.at, values: values(one) }));
    const span = drawn.from ? [Date.parse(drawn.from), Date.parse(drawn.to)] : null;
    this.rows.show(named(of("volume"), "rows", (one) => one.rows), marks, span);
    const latency = of("latency_ms");
    const failed = of("failed").filter((one) => latest(one.statistic) != null);
    this.draw(this.latency, named(latency, "milliseconds", (one) => one.statistic), marks, span);
    const ever = failed.some((one) => one.statistic.some((x) => x > 0));
    this.draw(this.failed, ever ? named(failed, "failed (per cent)", (one) => one.statistic.map((x) => x == null ? null : 100 * x)) : [], marks, span);
    const [slow, broken] = counted.map((one) => one.readings);
    fill(this.counted, answers(slow ?? [], broken ?? []));
    fill(this.judged, table("Operational figures", ["State", "Figure", "Version", "Value", "Statistic", "Threshold", "Until"],
      figures(drawn.series.filter((one) => ![...COUNTED, "volume"].includes(one.signal))).map((one) => row(one, drawn.states)),
      "None yet: metrics of latency, errors and load that are sent, or a monitor of metric:latency_ms_p95 or metric:error_ratio."));
  }

  draw(chart, lines, marks, span) {
    chart.element.hidden = !lines.length;
    if (lines.length) chart.show(lines, marks, span);
  }
}

function row(one, states) {
  const known = states[one.state.at(-1)];
  return [one.breach.at(-1) ? state("breach") : known === "judged" ? state("green") : known.replaceAll("_", " "),
    one.signal.replace(/^(operational|metric):/, "").replaceAll("_", " "),
    one.version || "all", number(one.value.at(-1)), number(one.statistic.at(-1)), number(one.threshold.at(-1)), instant(one.at.at(-1))];
}

// The latest summary of each version: rows, quantiles of latency, the share that failed.
function answers(slow, broken) {
  const rows = broken.map((one) => {
    const timed = slow.find((other) => other.version === one.version);
    const { p95, p99 } = timed?.summary ?? {};
    return [one.version, one.current.rows, ...[timed?.statistic, p95, p99].map((ms) => ms == null ? "not sent" : `${number(ms)} ms`),
      percent(one.statistic, 2), instant(one.current.window.end)];
  });
  return table("Latency and failures as counted", ["Version", "Rows", "Half within", "95 % within", "99 % within", "Failed", "Until"],
    rows, "Latency and failures of the predictions themselves are told every thirty windows.");
}
