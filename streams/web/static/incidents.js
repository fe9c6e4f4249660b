// Incidents as rows of a table, for every page that lists them.

import { h, duration, instant, state } from "./dom.js";
import { address } from "./url.js";

export const words = (text) => (text ?? "").replaceAll("_", " ");

export function lasted(one) {
  const end = one.ends_at ?? one.updated_at;
  return duration(Date.parse(end) - Date.parse(one.starts_at));
}

export function link(one) {
  const path = address("/incident", { model: one.model });
  return h("a", { href: `${path}${path.includes("?") ? "&" : "?"}id=${encodeURIComponent(one.incident_id)}`,
    "data-key": `incident-${one.incident_id}` }, one.title);
}

export const HEADINGS = ["State", "Incident", "Class", "Recommended", "Since", "Lasted", "Owner"];

export const row = (one) => [
  state(one.status === "firing" ? one.severity : "resolved"), link(one), words(one.triage.class),
  words(one.recommended_action), instant(one.starts_at),
  one.status === "firing" ? `${lasted(one)} so far` : lasted(one),
  one.owner ?? one.acknowledged_by ?? "–",
];
