// Data science: which signals move, how, since when, and whether the model still knows.

import { ask } from "./api.js";
import { portraits } from "./bars.js";
import { Chart, markList } from "./chart.js";
import { fill, h, instant, number, panel, percent, state, table } from "./dom.js";
import * as heat from "./heat.js";
import * as labels from "./labels.js";
import { judgements } from "./readings.js";
import { change, get, span } from "./url.js";

export class Page {
  constructor(main) {
    this.heat = h("div", { id: "heat" });
    this.title = h("p", { id: "signal", class: "dim" });
    this.statistic = new Chart("Statistic of the signal with its threshold");
    this.effect = new Chart("Population stability index of the signal", 130);
    this.shape = h("div", { id: "shape" });
    this.segments = h("div", { id: "segments" });
    this.metric = h("select", { id: "metric", onchange: () => change({ metric: this.metric.value }) });
    this.performance = new Chart("Performance, estimated and realised");
    this.calibration = new Chart("Calibration");
    this.slices = h("div", { id: "slices" });
    this.labels = new labels.Labels();
    this.marks = h("div", { id: "marks" });
    main.replaceChildren(
      panel("Signals by time", h("p", { class: "dim" }, "How near each signal came to its threshold. Choose one to see it below."),
        this.heat, heat.key()),
      h("div", { class: "half" },
        panel("Statistic and threshold", this.title, this.statistic.element, this.effect.element),
        panel("Performance", h("label", {}, "Metric ", this.metric), this.performance.element),
        this.labels.element),
      h("div", { class: "half" },
        panel("Reference and now", this.shape),
        panel("Segments of the signal", this.segments),
        panel("Where errors concentrate", this.slices),
        panel("Calibration", this.calibration.element),
        panel("What happened", this.marks)));
  }

  async refresh({ model }) {
    if (!model) { fill(this.heat, h("p", { class: "none" }, "No model yet.")); return; }
    const name = model.model;
    const when = span(model);
    const [strip, { marks }] = await Promise.all([
      ask("/v1/heat", { model: name, ...when }), ask("/v1/marks", { model: name, ...when })]);
    const loudest = strip.signals.map((one, i) => [one, Math.max(...strip.shares[i])]).sort((a, b) => b[1] - a[1])[0];
    const chosen = get("signal") || loudest?.[0] || "";
    heat.show(this.heat, strip, chosen, (signal) => change({ signal }));
    performance.mark("heat");
    this.span = [Date.parse(strip.from), Date.parse(strip.to)];
    fill(this.marks, markList(marks));
    await Promise.all([this.signal(name, chosen, when, marks), this.outcome(name, when, marks)]);
  }

  async signal(model, signal, when, marks) {
    if (!signal) return;
    const [drawn, { readings }, shape] = await Promise.all([
      ask("/v1/history", { model, signal, segment: "*", points: 400, ...when }),
      ask("/v1/readings", { model, signal, limit: 200 }), ask("/v1/shape", { model, signal }),
    ]);
    const sequential = drawn.series.filter((one) => one.threshold.some((x) => x != null) && !["adwin", "page_hinkley"].includes(one.detector));
    const lines = sequential.slice(0, 3).map((one) => ({
      label: sequential.length > 1 ? `${one.detector} ${one.version}` : "statistic",
      at: one.at, values: one.statistic }));
    const first = sequential[0];
    if (first) lines.push({ label: "threshold", at: first.at, values: first.threshold, dash: [8, 5], stroke: "--dim" });
    const breaches = first ? first.breach.filter(Boolean).length : 0;
    fill(this.title, signal, first ? ` · ${first.detector} · ${breaches} of ${first.at.length} windows beyond the threshold` : "");
    this.statistic.show(lines, marks, this.span);
    this.effect.show(first ? [{ label: "PSI", at: first.at, values: first.psi, stroke: "--c4" }] : [], marks, this.span);
    fill(this.segments, table("Latest reading by segment", ["Segment", "Version", "State", "Statistic", "Threshold", "PSI", "Rows"],
      judgements(readings).sort((a, b) => a.segment.localeCompare(b.segment)).map((one) => [
        one.segment === "*" ? "all" : one.segment, one.version,
        one.breach ? state(one.severity ?? "breach") : one.state === "judged" ? state("green") : one.state.replaceAll("_", " "),
        number(one.statistic), number(one.threshold), number(one.effect.psi), one.current.rows]), "No reading."));
    const seen = portraits(shape);
    fill(this.shape, ...(seen.length ? seen
      : [h("p", { class: "none" }, "No histogram yet: the first comes with the first pane that is judged. Errors have none.")]),
    ...described(readings.filter((one) => one.detector === "summary" && one.segment === "*" && one.summary)),
    ...quartiles(readings.filter((one) => one.detector === "quartiles" && one.summary)));
  }

  async outcome(model, when, marks) {
    const [drawn, shapes] = await Promise.all([
      ask("/v1/history", { model, segment: "*", points: 250, ...when,
        signal: ["metric:*", "calibration", ...labels.SIGNALS],
        detector: ["estimate", "shiryaev_roberts", ...labels.DETECTORS] }),
      ask("/v1/shape", { model, signal: ["error*", "metric:*", "label"] })]);
    const of = (signal, detector) => drawn.series.find((one) => one.signal === signal && one.detector === detector);
    const names = [...new Set(drawn.series.filter((one) => one.signal.startsWith("metric:")).map((one) => one.signal.slice(7)))];
    const metric = names.includes(get("metric")) ? get("metric") : names.includes("accuracy") ? "accuracy" : names[0] ?? "";
    if ([...this.metric.options].map((one) => one.value).join() !== names.join()) {
      this.metric.replaceChildren(...names.map((one) => h("option", {}, one)));
    }
    this.metric.value = metric;
    const lines = [];
    const said = { estimate: "estimated before labels", cohort: "realised by the same rows", window: "realised by label arrival" };
    for (const [detector, label] of Object.entries(said)) {
      const one = of(`metric:${metric}`, detector);
      const band = detector === "estimate" && one?.low.some((x) => x != null) ? [one.low, one.high] : null;
      if (one) lines.push({ label, at: one.at, values: one.statistic, band });
    }
    const base = of(`metric:${metric}`, "window") ?? of(`metric:${metric}`, "estimate");
    if (base) lines.push({ label: "reference", at: base.at, values: base.threshold, stroke: "--dim", dash: [8, 5] });
    this.performance.show(lines, marks, this.span);
    const calibration = of("calibration", "shiryaev_roberts");
    const ece = of("metric:ece", "window");
    this.calibration.show([
      ...(calibration ? [{ label: "statistic", at: calibration.at, values: calibration.statistic },
        { label: "threshold", at: calibration.at, values: calibration.threshold, stroke: "--dim", dash: [8, 5] }] : []),
      ...(ece ? [{ label: "calibration error (per cent)", at: ece.at, values: ece.statistic.map((x) => x == null ? null : 100 * x), stroke: "--c3" }] : []),
    ], marks, this.span);
    const slices = shapes.events.flatMap((one) => one.evidence.slices);
    fill(this.slices, table("Error slices", ["Feature", "Value", "Rows", "Errors before", "Errors now", "Share of the excess"],
      slices.slice(0, 12).map((one) => [one.feature, one.value, one.rows, percent(one.reference), percent(one.current), percent(one.excess, 0)]),
      "No drift event of errors has told of slices."));
    await this.labels.show(model, drawn.series, shapes, this.span);
  }
}

// What the values of a number are like by now, whether or not they drift.
function described(summaries) {
  if (!summaries.length) return [];
  const row = (name, of) => [name, ...summaries.map((one) => of(one.summary, one))];
  return [h("h3", {}, "What its values were like lately"),
    h("div", { id: "summary" }, table("Latest summary by version", ["", ...summaries.map((one) => `version ${one.version}`)], [
      row("Mean", (one) => number(one.mean)), row("Mean of the reference", (_, { effect }) => number(effect.baseline)),
      row("Standard deviation", (one) => number(one.sd)),
      row("Eight in ten lie between", ({ deciles }) => deciles?.length ? `${number(deciles[0])} and ${number(deciles[8])}` : "–"),
      row("Median", ({ deciles }) => number(deciles?.[4])),
      row("Least and most", (one) => `${number(one.min)} and ${number(one.max)}`),
      row("Missing", (one) => percent(one.missing)), row("Rows", (_, { current }) => number(current.rows)),
      row("Until", (_, { current }) => instant(current.window.end))], ""))];
}

// How far parts, or panes, lie apart in the leading metric.
function quartiles(told) {
  if (!told.length) return [];
  const row = (name, of) => [name, ...told.map((one) => of(one.summary, one.effect))];
  return [h("h3", {}, "How far apart they lie"),
    h("div", { id: "quartiles" }, table("Quartiles by version", ["", ...told.map((one) => `version ${one.version}`)], [
      row("Lower quartile", ({ p25 }) => percent(p25)), row("Median", ({ p50 }) => percent(p50)),
      row("Upper quartile", ({ p75 }) => percent(p75)),
      row("Between the outer ones", (_, effect) => percent(effect.current)),
      row("As is normal", (_, effect) => percent(effect.baseline))], ""))];
}
