// One incident: why, which rows, what to do; and saying what it was.

import { ask, say } from "./api.js";
import { bars } from "./bars.js";
import { Chart, markList } from "./chart.js";
import { fill, h, instant, number, panel, percent, state, table } from "./dom.js";
import { lasted, words } from "./incidents.js";
import { get } from "./url.js";

const AROUND = 0.5;
const field = (name, ...control) => h("label", {}, name, ...control);
const option = ([value, text]) => h("option", { value }, text);

export class Page {
  constructor(main) {
    this.head = h("div", { id: "head" });
    this.why = h("div", { id: "why" });
    this.signals = h("div", { id: "signals" });
    this.chart = new Chart("The strongest signal with its threshold");
    this.shape = h("div", { id: "shape" });
    this.rows = h("div", { id: "rows" });
    this.said = h("div", { id: "said" });
    this.told = h("p", { class: "told", role: "status", id: "told" });
    this.forms = h("div", { class: "forms" });
    this.made = false;
    main.replaceChildren(h("section", { class: "panel" }, this.head), panel("Why", this.why),
      h("div", { class: "half" }, panel("Since when", this.chart.element)),
      h("div", { class: "half" }, panel("Reference and now", this.shape)),
      panel("Signals", this.signals), panel("Which rows", this.rows),
      panel("What to do", this.told, this.forms), panel("What was said", this.said));
  }

  async refresh({ models, session }) {
    let file;
    try {
      file = await ask(`/v1/incidents/${encodeURIComponent(get("id"))}`);
    } catch (error) {
      fill(this.head, h("h1", {}, "No such incident"), h("p", { class: "none" }, error.message));
      return;
    }
    const one = file.incident;
    this.file = file;
    this.model = models.find((found) => found.model === one.model);
    document.title = `${one.title} · Windage`;
    const figure = one.performance;
    fill(this.head, h("h1", {}, one.title), h("p", {}, one.summary),
      h("p", {}, state(one.status === "firing" ? one.severity : "resolved"), " since ", instant(one.starts_at),
        one.ends_at ? h("span", {}, ", over at ", instant(one.ends_at)) : "", `, lasted ${lasted(one, models)}`,
        file.change_point ? h("span", {}, "; the change began about ", instant(file.change_point)) : "",
        one.breadth ? h("span", { id: "breadth" }, one.breadth === "uniform" ? "; uniform: in all segments" : "; localised: in some segments only") : ""),
      h("p", {}, "Recommended: ", h("b", {}, words(one.recommended_action)),
        figure.metric ? `; ${figure.metric}: estimated ${number(figure.estimated)}, realised ${number(figure.realised)}, before ${number(figure.baseline)}` : ""),
      h("p", { class: "dim" }, `Incident ${one.incident_id}, model ${one.model} ${one.version}, owner ${one.owner ?? "nobody yet"}`));
    const link = /^https?:\/\//.test(file.runbook ?? "");
    fill(this.why, h("p", {}, "Taken for ", h("b", {}, words(one.triage.class)), ", because"),
      h("ul", { class: "plain" }, one.triage.because.map((text) => h("li", {}, text))),
      one.triage.against.length ? h("p", {}, "What speaks against it") : null,
      h("ul", { class: "plain" }, one.triage.against.map((text) => h("li", {}, text))),
      h("p", {}, "Runbook: ", link ? h("a", { href: file.runbook, rel: "noreferrer" }, file.runbook)
        : file.runbook ?? h("span", { class: "dim" }, "none is configured (policy.routes)")));
    fill(this.signals, table("Signals", ["State", "Signal", "Segment", "Contribution", "Statistic", "Threshold", "In words"],
      one.signals.map((signal) => [state(signal.severity), signal.signal, signal.segment === "*" ? "all" : signal.segment,
        percent(signal.contribution, 0), number(signal.statistic), number(signal.threshold), signal.explanation]), "No signal."));
    fill(this.rows, file.rows.length ? file.rows.map((range) => this.range(range))
      : h("p", { class: "none" }, "The evidence of this incident names no rows."));
    fill(this.said, markList(file.said, "Nobody has said anything of it yet."), table("Retrainings asked for", ["Request", "Urgency", "Attempt", "Asked at", "Why"],
      file.retrain_requests.map((asked) => [asked.request_id, asked.urgency, asked.attempt, instant(asked.requested_at), asked.reason]),
      "No retraining was asked for."));
    const shaped = file.events.find((event) => event.current.histograms);
    fill(this.shape, shaped ? [h("p", {}, shaped.explanation), bars(shaped.current.histograms)]
      : h("p", { class: "none" }, "No event of this incident carries histograms."));
    if (!this.made) this.make(session, one);
    await this.draw(one, file);
  }

  async draw(one, file) {
    const top = file.events[0];
    if (!top) return;
    const start = Date.parse(file.change_point ?? one.starts_at);
    const end = Date.parse(one.ends_at ?? this.model?.judged_until ?? one.updated_at);
    const pad = Math.max(AROUND * (end - start), 20 * (this.model?.every_ms ?? 60_000));
    const when = { from: new Date(start - pad).toISOString(), to: new Date(end + (one.ends_at ? pad : 0)).toISOString() };
    const [{ series }, { marks }] = await Promise.all([
      ask("/v1/history", { model: one.model, version: top.version, segment: top.segment, signal: top.signal, detector: top.detector.name, points: 300, ...when }),
      ask("/v1/marks", { model: one.model, ...when })]);
    const found = series[0];
    this.chart.show(found ? [{ label: `${top.signal}`, at: found.at, values: found.statistic },
      { label: "threshold", at: found.at, values: found.threshold, dash: [8, 5], stroke: "--dim" }] : [], marks,
    [Date.parse(when.from), Date.parse(when.to)]);
  }

  range(range) {
    const copied = h("span", { role: "status", class: "dim" });
    return h("div", {}, h("p", {}, `${range.topic}, partition ${range.partition}, offsets ${range.from} to ${range.to}`),
      h("div", { class: "command" }, h("code", {}, range.command),
        h("button", { type: "button", "data-key": `copy-${range.topic}-${range.partition}-${range.from}`, onclick: async () => {
          try { await navigator.clipboard.writeText(range.command); copied.textContent = "copied"; }
          catch { copied.textContent = "select and copy it"; }
        } }, "Copy"), copied));
  }

  make(session, one) {
    this.made = true;
    if (!session.may_write) {
      fill(this.forms, h("p", { class: "none" }, "Your token allows reading only."));
      return;
    }
    const note = () => h("textarea", { name: "note", rows: "2", maxlength: "2000" });
    const form = (name, title, action, ...fields) => h("form", { name,
      onsubmit: (event) => { event.preventDefault(); this.send(event.target); } },
    h("h3", {}, title), ...fields, h("button", { class: name === "close" ? "main" : null }, action));
    const top = one.signals[0];
    fill(this.forms,
      form("close", "Close with a verdict", "Close",
        field("Verdict", h("select", { name: "verdict", required: true }, [["", "choose"], ["true_drift", "true drift"], ["false_alarm", "false alarm"], ["data_issue", "data issue"]].map(option))),
        field("Root cause", h("input", { name: "root_cause", maxlength: "2000" })), field("Resolution", h("input", { name: "resolution", maxlength: "2000" }))),
      form("acknowledge", "Acknowledge", "Acknowledge", field("By", h("input", { name: "author", required: true, maxlength: "100" })), field("Note", note())),
      form("silence", "Silence", "Silence",
        field("Signal", h("input", { name: "signal", required: true, value: top?.signal ?? "*" })),
        field("Segment", h("input", { name: "segment", required: true, value: "*" })),
        field("For", h("select", { name: "hours" }, [["1", "1 hour"], ["8", "8 hours"], ["24", "1 day"], ["168", "1 week"], ["720", "30 days"]].map(option))),
        field("Why", h("input", { name: "note", required: true, maxlength: "2000" }))),
      form("annotate", "Annotate", "Annotate", field("Note", h("textarea", { name: "note", rows: "2", required: true, maxlength: "2000" }))),
      form("retrain", "Ask for a retraining", "Ask", field("Why", h("input", { name: "note", required: true, maxlength: "2000" })),
        field("Urgent", h("input", { name: "urgent", type: "checkbox" }))));
  }

  // Of a recording, something is said at the time that it has come to.
  now() {
    const recorded = this.model?.clock === "event" && this.model.judged_until;
    return recorded ? Date.parse(this.model.judged_until) : Date.now();
  }

  event(form) {
    const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
    const now = this.now();
    const one = this.file.incident;
    const event = { model: one.model, timestamp: new Date(now).toISOString(), incident_id: one.incident_id };
    switch (form.name) {
      case "close": return { ...event, type: "incident_closed", ...given };
      case "acknowledge": return { ...event, type: "incident_acknowledged", ...given };
      case "annotate": return { ...event, type: "annotation", ...given };
      case "silence": return { ...event, type: "silence", note: given.note,
        matchers: { signal: given.signal, segment: given.segment },
        until: new Date(now + Number(given.hours) * 3_600_000).toISOString() };
      default: return { ...event, type: "external", note: given.note, version: one.version,
        ...(given.urgent ? { severity: "red" } : {}) };
    }
  }

  async send(form) {
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await say(this.event(form));
      this.told.className = "told";
      this.told.textContent = `Said: ${form.querySelector("h3").textContent.toLowerCase()}. It takes effect when the next window is judged.`;
      form.reset();
      dispatchEvent(new Event("asked"));
    } catch (error) {
      this.told.className = "told red";
      this.told.textContent = error.message;
    } finally {
      button.disabled = false;
      button.focus();
    }
  }
}
