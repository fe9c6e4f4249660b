// Labels: how many came, how late, for whom, and whether those who give them agree.

import { ask } from "./api.js";
import { portraits } from "./bars.js";
import { Chart } from "./chart.js";
import { duration, fill, h, instant, number, panel, percent } from "./dom.js";
import { latest } from "./readings.js";

const hundred = (values) => values.map((x) => x == null ? null : 100 * x);
const entry = (name, value, id, more = null) =>
  h("div", {}, h("dt", {}, name), h("dd", { id }, value, more && h("small", {}, ` ${more}`)));

export const SIGNALS = ["label:*", "label"];
export const DETECTORS = ["cohort", "window", "coverage", "pairs", "kappa"];

export class Labels {
  constructor() {
    this.figures = h("div", { id: "labels" });
    this.agreement = h("div", { id: "agreement" });
    this.chart = new Chart("Coverage of labels, and agreement of annotators", 130);
    this.element = panel("Labels", this.figures, this.agreement, this.chart.element);
  }

  // `series`: of SIGNALS by DETECTORS; `shapes`: what came with histograms, of labels among others.
  async show(model, series, { events, readings }, span) {
    const of = (signal, detector) => series.find((one) => one.signal === signal && one.detector === detector);
    const value = (signal, detector) => latest(of(signal, detector)?.statistic ?? []);
    const coverage = of("label:coverage", "cohort");
    const labels = (list) => list.filter((one) => one.signal === "label");
    const shape = portraits({ events: labels(events), readings: labels(readings) });
    const bias = series.filter((one) => one.signal.startsWith("label:bias"));
    fill(this.figures, h("dl", { class: "figures" },
      entry("Coverage", percent(value("label:coverage", "cohort")), "label-coverage"),
      entry("Delay, half", duration(value("label:delay_p50_ms", "window")), "label-p50"),
      entry("Delay, nine tenths", duration(value("label:delay_p90_ms", "window")), "label-p90"),
      entry("Corrected", percent(value("label:correction_rate", "window"), 2)),
      entry("Bias of coverage", bias.length ? percent(Math.max(...bias.map((one) => latest(one.statistic) ?? 0))) : "–")),
    shape.length ? h("div", { id: "label-shape" }, h("h3", {}, "Distribution"), shape) : "");
    const pairs = of("label:agreement", "pairs");
    this.chart.show([
      ...(coverage ? [{ label: "coverage (per cent)", at: coverage.at, values: hundred(coverage.statistic) }] : []),
      ...(pairs ? [{ label: "annotators agree (per cent)", at: pairs.at, values: hundred(pairs.statistic), band: [hundred(pairs.low), hundred(pairs.high)] }] : []),
    ], [], span);
    const told = ["label:agreement", "label:difference"].filter((signal) => of(signal, "pairs"));
    const answers = await Promise.all(told.map((signal) => ask("/v1/readings", { model, signal, segment: "*" })));
    fill(this.agreement, ...agreements(answers.flatMap((one) => one.readings)));
  }
}

// Of the opinions that were counted last; nothing where a prediction has one annotator.
function agreements(readings) {
  if (!readings.length) return [];
  const limits = (one, say) => `${say(one.effect.low)} to ${say(one.effect.high)}`;
  const [first] = readings;
  const said = {
    "label:agreement pairs": (one) => entry("Annotators agree", percent(one.statistic), "label-agreement", limits(one, percent)),
    "label:agreement kappa": (one) => entry("Beyond chance (kappa)", number(one.statistic, 3), "label-kappa", limits(one, (x) => number(x, 3))),
    "label:difference pairs": (one) => entry("Annotators differ by, half", number(one.statistic), "label-difference", limits(one, number)),
  };
  const { start, end } = first.current.window;
  const by = new Map(readings.map((one) => [`${one.signal} ${one.detector}`, one]));
  return [h("dl", { class: "figures" }, Object.entries(said).map(([place, tell]) => by.has(place) ? tell(by.get(place)) : null)),
    h("p", { class: "dim", id: "label-pairs" }, `${number(first.current.rows)} pairs of labels of one prediction, from `,
      instant(start), " to ", instant(end), "; limits of 95 per cent")];
}
