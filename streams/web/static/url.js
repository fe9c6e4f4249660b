// What is shown, as the address says it: page, model, time range, signal.

export const RANGES = {
  "": "recent", "1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days",
  "30d": "last 30 days", "90d": "last 90 days", all: "everything",
};
const SIZE = { h: 3_600_000, d: 86_400_000 };

export const page = () => location.pathname;
export const get = (name) => new URLSearchParams(location.search).get(name) ?? "";

// The address of a page with the same model and time, and what else is said.
export function address(path, changes = {}) {
  const kept = new URLSearchParams(location.search);
  if (path !== page()) for (const name of [...kept.keys()]) {
    if (!["model", "range", "from", "to"].includes(name)) kept.delete(name);
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value == null || value === "") kept.delete(name);
    else kept.set(name, value);
  }
  const text = kept.toString();
  return text ? `${path}?${text}` : path;
}

export function change(changes) {
  history.replaceState(null, "", address(page(), changes));
  dispatchEvent(new Event("asked"));
}

// From when to when, for the API. A model's time ends where it was judged last.
export function span(model) {
  if (get("from") || get("to")) return { from: get("from"), to: get("to") };
  const range = get("range");
  if (!model?.judged_until || range === "" || !(range in RANGES)) return {};
  if (range === "all") return { from: model.judged_from, to: model.judged_until };
  const ms = parseInt(range, 10) * SIZE[range.at(-1)];
  const end = Date.parse(model.judged_until);
  return { from: new Date(end - ms).toISOString(), to: model.judged_until };
}
