// Business: what the figures say, what the incidents were, and what they cost.

import { ask } from "./api.js";
import { Chart, markList } from "./chart.js";
import { fill, h, instant, number, panel, state, table } from "./dom.js";
import { lasted, link, words } from "./incidents.js";
import { figureOf } from "./ops.js";
import { figures, isOperational } from "./readings.js";
import { cost, loss } from "./stakes.js";
import { span } from "./url.js";

const MOST = 6;

export class Page {
  constructor(main) {
    this.summary = h("div", { id: "summary" });
    this.performance = new Chart("Performance as labels confirmed it");
    this.kpis = h("div", { id: "kpis" });
    this.costs = h("div", { id: "costs" });
    this.marks = h("div", { id: "marks" });
    this.charts = new Map();
    main.replaceChildren(panel("At a glance", this.summary),
      panel("Performance", this.performance.element), panel("Key figures", this.kpis),
      panel("Incidents and what they cost", this.costs), panel("What happened", this.marks));
  }

  async refresh({ model }) {
    if (!model) { fill(this.summary, h("p", { class: "none" }, "No model yet.")); return; }
    const when = span(model);
    const [{ incidents }, drawn, { marks }] = await Promise.all([
      ask("/v1/incidents", { model: model.model, limit: 200 }),
      ask("/v1/history", { model: model.model, signal: "metric:*", segment: "*", points: 250, ...when }),
      ask("/v1/marks", { model: model.model, ...when })]);
    const start = Date.parse(drawn.from);
    const shown = incidents.filter((one) => Date.parse(one.ends_at ?? one.updated_at) >= start);
    const asked = marks.filter((one) => one.type === "retrain_requested").length;
    this.atAGlance(model, shown, asked);
    const metric = model.performance.window?.metric ?? "accuracy";
    const realised = drawn.series.find((one) => one.signal === `metric:${metric}` && one.detector === "window");
    this.performance.show(realised ? [
      { label: `${metric}, realised`, at: realised.at, values: realised.statistic },
      { label: "before", at: realised.at, values: realised.threshold, dash: [8, 5], stroke: "--dim" }] : [],
    marks, [Date.parse(drawn.from), Date.parse(drawn.to)]);
    this.figures(drawn, marks);
    this.cost(model, shown, drawn.series);
    fill(this.marks, markList(marks));
  }

  atAGlance(model, incidents, asked) {
    const open = incidents.filter((one) => one.status === "firing").length;
    const figure = model.performance.window;
    const estimate = model.performance.estimate;
    fill(this.summary, h("dl", { class: "figures" },
      figureOf("State", state(open ? model.severity : "green")),
      figureOf("Incidents in this time", number(incidents.length), "incidents", `${open} open`),
      ...(figure ? [figureOf(`${figure.metric}, realised`, number(figure.value), "realised",
        figure.baseline == null ? "" : `before ${number(figure.baseline)}`)] : []),
      ...(estimate ? [figureOf(`${estimate.metric}, expected of today's rows`, number(estimate.value), "estimated")] : []),
      figureOf("Retrainings asked for", number(asked), "retrainings"),
      figureOf("What is at stake", model.impact?.level ?? "–")));
  }

  figures(drawn, marks) {
    const own = figures(drawn.series).filter((one) => !isOperational(one.signal) && one.value.some((x) => x != null));
    const named = new Map(own.map((one) => [one.signal, one]));
    const kept = [...named.entries()].slice(0, MOST);
    if (!kept.length) {
      fill(this.kpis, h("p", { class: "none" }, "No key figure was sent. Metrics of a model (topic metrics, kind kpi) are drawn here."));
      return;
    }
    for (const [signal] of kept) if (!this.charts.has(signal)) this.charts.set(signal, new Chart(signal.slice(7), 150));
    const elements = kept.map(([signal]) => this.charts.get(signal).element);
    if (elements.some((one) => !this.kpis.contains(one))) {
      fill(this.kpis, kept.map(([signal]) => h("div", {}, h("h3", {}, signal.slice(7)), this.charts.get(signal).element)));
    }
    for (const [signal, one] of kept) {
      this.charts.get(signal).show([{ label: signal.slice(7), at: one.at, values: one.value }], marks, [Date.parse(drawn.from), Date.parse(drawn.to)]);
    }
  }

  cost(model, incidents, series) {
    const price = model.impact?.cost_per_point;
    let sum = 0;
    const rows = incidents.map((one) => {
      const end = Date.parse(one.ends_at ?? model.judged_until ?? one.updated_at);
      const lost = loss(one, series, end);
      const fall = lost?.points;
      const paid = cost(lost, end - Date.parse(one.starts_at), price);
      sum += paid ?? 0;
      return [state(one.status === "firing" ? one.severity : "resolved"), link(one), words(one.triage.class),
        instant(one.starts_at), lasted(one, [model]),
        fall == null ? "–" : `${fall <= 0 ? "none" : `${number(fall, 3)} points`} of ${lost.metric}, ${lost.how}`,
        paid == null ? "–" : number(Math.round(paid))];
    });
    fill(this.costs, table("Incidents and what they cost", ["State", "Incident", "Class", "Since", "Lasted", "Performance lost", "Cost"],
      rows, "No incident in this time."),
    price == null ? h("p", { class: "dim" }, "Costs are shown once impact.cost_per_point is configured for the model.")
      : h("p", {}, `Together ${number(Math.round(sum))}: points lost on average times ${number(price)} a point and month, for as long as it lasted`,
        model.impact.retrain_cost == null ? "." : `; a retraining costs ${number(model.impact.retrain_cost)}.`));
  }
}
