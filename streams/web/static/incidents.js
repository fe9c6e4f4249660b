// Incidents as rows of a table, for every page that lists them.

import { h, duration, instant, state } from "./dom.js";
import { address } from "./url.js";

export const words = (text) => (text ?? "").replaceAll("_", " ");

// How long an incident went on; one that is open, until its model was judged last.
export function lasted(one, models) {
  const model = models.find((found) => found.model === one.model);
  const end = one.ends_at ?? model?.judged_until ?? one.updated_at;
  const said = duration(Date.parse(end) - Date.parse(one.starts_at));
  return one.ends_at ? said : `${said} so far`;
}

export function link(one) {
  const path = address("/incident", { model: one.model });
  return h("a", { href: `${path}${path.includes("?") ? "&" : "?"}id=${encodeURIComponent(one.incident_id)}`,
    "data-key": `incident-${one.incident_id}` }, one.title);
}

export const HEADINGS = ["State", "Incident", "Class", "Recommended", "Since", "Lasted", "Owner"];

export const row = (one, models) => [
  state(one.status === "firing" ? one.severity : "resolved"), link(one), words(one.triage.class),
  words(one.recommended_action), instant(one.starts_at),
  lasted(one, models),
  one.owner ?? one.acknowledged_by ?? "–",
];
