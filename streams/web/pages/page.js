// Shows what the API says: models, incidents, the latest readings. Texts are set, never parsed as
// HTML, because names come from whoever sends events.

const SHOWN = 200;
const PAUSE_MS = 2000;
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

const form = document.getElementById("token");
const health = document.getElementById("health");

async function ask(path) {
  const token = sessionStorage.getItem("token");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(path, { headers, cache: "no-store" });
  form.hidden = response.status !== 401;
  if (!response.ok && response.status !== 503) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

function cell(value) {
  const td = document.createElement("td");
  if (typeof value === "number") {
    td.className = "number";
    td.textContent = Number.isInteger(value) ? String(value) : value.toPrecision(4);
  } else if (value === "red" || value === "yellow") {
    td.className = value;
    td.textContent = value;
  } else {
    td.textContent = value == null ? "" : String(value).replace(CONTROL, "");
  }
  return td;
}

function fill(id, rows, empty) {
  const body = document.getElementById(id);
  const lines = rows.slice(0, SHOWN).map((row) => {
    const tr = document.createElement("tr");
    tr.append(...row.map(cell));
    return tr;
  });
  const rest = rows.length ? rows.length - SHOWN : 0;
  if (!rows.length || rest > 0) {
    const tr = document.createElement("tr");
    const td = cell(rows.length ? `and ${rest} more` : empty);
    td.className = "none";
    td.colSpan = 20;
    tr.append(td);
    lines.push(tr);
  }
  body.replaceChildren(...lines);
}

function showHealth({ status, backlog, failure }) {
  const waiting = Object.values(backlog).reduce((sum, count) => sum + count, 0);
  health.textContent = failure
    ? `${status}: ${failure}`
    : `${status}, ${waiting} records waiting`;
  health.className = status === "ok" ? "" : "red";
}

async function show() {
  showHealth(await ask("/healthz"));
  const [{ models }, { incidents }, { readings }] = await Promise.all([
    ask("/v1/models"),
    ask("/v1/incidents"),
    ask("/v1/readings"),
  ]);
  fill("models", models.map((m) => [m.model, m.task, m.versions.join(", "),
    m.severity ?? "green", m.incidents, m.monitors, m.judged_until]), "No model yet.");
  fill("incidents", incidents.map((i) => [i.status, i.severity, i.model, i.title,
    i.triage.class, i.recommended_action, i.starts_at, i.ends_at]), "No incident.");
  fill("readings", readings.map((r) => [r.model, r.version, r.segment, r.signal, r.monitor,
    r.breach ? (r.severity ?? "breach") : r.state, r.statistic, r.threshold,
    r.current.window.end]), "No reading yet.");
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", new FormData(form).get("token"));
  form.reset();
});

for (;;) {
  try {
    await show();
  } catch (error) {
    health.textContent = error.message;
    health.className = "red";
  }
  await new Promise((resume) => setTimeout(resume, PAUSE_MS));
}
