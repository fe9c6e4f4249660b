// Operations: models with their state and since when, incidents, the pipeline.

import { ask } from "./api.js";
import { duration, fill, h, instant, meter, number, panel, state, table } from "./dom.js";
import { HEADINGS, row } from "./incidents.js";
import { Traffic } from "./traffic.js";
import { address, span } from "./url.js";

const SILENT = 3;

export class Page {
  constructor(main) {
    this.models = h("div", { id: "models" });
    this.incidents = h("div", { id: "incidents" });
    this.pipeline = h("div", { id: "pipeline" });
    this.traffic = new Traffic();
    this.before = null;
    main.replaceChildren(
      panel("Models", this.models), panel("Incidents", this.incidents),
      ...this.traffic.elements,
      panel("Pipeline", this.pipeline));
  }

  async refresh({ models, model }) {
    const when = span(model);
    const [{ incidents }, pipeline, { marks }] = await Promise.all([
      ask("/v1/incidents", { limit: 200 }), ask("/v1/pipeline"),
      model ? ask("/v1/marks", { model: model.model, ...when }) : { marks: [] },
    ]);
    fill(this.models, table("Models", ["State", "Model", "Since", "Incidents", "Task", "Versions",
      "Performance", "Judged until", "False alarms"],
    models.map((one) => this.model(one, pipeline.clock)), "No model yet."));
    const open = incidents.filter((one) => one.status === "firing");
    const closed = incidents.filter((one) => one.status !== "firing").slice(0, 15);
    fill(this.incidents, table("Incidents, open ones first", HEADINGS, [...open, ...closed].map((one) => row(one, models)), "No incident."));
    fill(this.pipeline, this.pipelineOf(pipeline));
    await this.traffic.show(model?.model, when, marks);
  }

  model(one, clock) {
    const word = one.incidents ? one.severity : one.monitors ? "green" : "none";
    const figure = one.performance.window ?? one.performance.estimate;
    const said = one.performance.window ? "realised" : "estimated";
    const late = one.clock === "broker" && one.judged_until && one.every_ms
      ? Date.parse(clock) - Date.parse(one.judged_until) : 0;
    return [
      state(word),
      h("a", { href: address("/science", { model: one.model }), "data-key": `model-${one.model}` }, one.model),
      instant(one.since), one.incidents, one.task ?? "–", one.versions.join(", "),
      figure ? h("span", { class: "figure" }, `${figure.metric} ${number(figure.value)} ${said}`,
        figure.baseline == null ? "" : h("span", { class: "dim" }, `, before ${number(figure.baseline)}`)) : "–",
      h("span", {}, instant(one.judged_until),
        late > SILENT * (one.every_ms ?? 0) ? h("span", { class: "state yellow" }, ` ▲ silent for ${duration(late)}`) : ""),
      one.budget ? meter(one.budget.spent / one.budget.allowed,
        `${number(one.budget.spent)} of ${number(one.budget.allowed)} per ${one.budget.per}`) : "none spent",
    ];
  }

  pipelineOf(pipeline) {
    const counted = Object.values(pipeline.records).reduce((sum, one) => sum + (one.read ?? 0), 0);
    const now = performance.now();
    const rate = this.before && now > this.before.at
      ? Math.max(0, counted - this.before.counted) / ((now - this.before.at) / 1000) : null;
    this.before = { at: now, counted };
    const letters = Object.entries(pipeline.dead_letters);
    const lag = Object.values(pipeline.backlog).reduce((sum, one) => sum + one, 0);
    const outcomes = [...new Set(Object.values(pipeline.records).flatMap((counts) =>
      Object.keys(counts).filter((name) => counts[name])))];
    const topics = Object.entries(pipeline.records).map(([topic, counts]) =>
      [topic, pipeline.backlog[topic] ?? 0, ...outcomes.map((name) => counts[name] || "–")]);
    return [
      h("dl", { class: "figures" },
        figureOf("State", state(pipeline.status === "ok" ? "green" : "red")),
        figureOf("Records waiting", number(lag), "lag"),
        figureOf("Records read", number(counted), "read"),
        figureOf("Records a second", rate == null ? "–" : number(Math.round(rate))),
        figureOf("Dead letters", number(letters.reduce((sum, [, count]) => sum + count, 0)), "letters")),
      pipeline.complete ? "" : h("p", { class: "dim" }, "Stored readings are still being taken in."),
      h("h3", {}, "What became of the records"),
      table("Records by outcome", ["Topic", "waiting", ...outcomes.map((name) => name.replaceAll("_", " "))], topics, "Nothing was read yet."),
      letters.length ? h("h3", {}, "Dead letters by reason") : "",
      letters.length ? table("Dead letters", ["Reason", "Records"], letters, "") : "",
    ];
  }
}

export const figureOf = (name, value, id = null, more = "") =>
  h("div", {}, h("dt", {}, name), h("dd", { id: id && `figure-${id}` }, value, more ? h("small", {}, ` ${more}`) : ""));

