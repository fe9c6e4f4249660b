// Two histograms, then and now, as bars with their numbers.

import { h, instant, number, percent } from "./dom.js";

const MOST = 20;
const VERSIONS = 3;

export function bars(histograms) {
  const { labels, reference, current } = histograms;
  const rows = labels.map((label, index) => [label, reference[index], current[index]]);
  const moved = [...rows].sort((a, b) => Math.abs(b[2] - b[1]) - Math.abs(a[2] - a[1]));
  const kept = new Set(moved.slice(0, MOST).map((row) => row[0]));
  const shown = rows.filter((row) => kept.has(row[0]));
  const largest = Math.max(...shown.flatMap((row) => [row[1], row[2]]), 1e-9);
  const bar = (kind, share) => {
    const element = h("span", { class: kind });
    element.style.width = `${(100 * share) / largest}%`;
    return element;
  };
  return h("div", {},
    h("p", { class: "key barkey" }, h("span", { class: "was" }), "reference (striped)", h("span", { class: "now" }), "now (solid)",
      rows.length > shown.length ? `; the ${MOST} of ${rows.length} cells that moved most` : ""),
    h("div", { class: "bars" }, shown.flatMap(([label, was, now]) => [
      h("span", { class: "label" }, label),
      h("span", { class: "pair", "aria-hidden": "true" }, bar("was", was), bar("now", now)),
      h("span", { class: "shares" }, `${percent(was)} → ${percent(now)}`)])));
}

// What the values of a signal are like, of all rows: from its latest drift event, and from readings
// that are newer or of another version. Nothing where there is neither.
export function portraits({ events, readings }) {
  const ends = (one) => Date.parse(one.current.window.end);
  const whole = readings.filter((one) => one.segment === "*");
  const event = events.find((one) => one.segment === "*") ?? (whole.length ? undefined : events[0]);
  const overtaken = event && whole.some((one) => one.version === event.version && ends(one) > ends(event));
  const shown = whole.filter((one) => overtaken || one.version !== event?.version).slice(0, VERSIONS);
  return [
    event ? h("p", {}, event.explanation) : null,
    ...(event && !overtaken ? [event] : []).concat(shown).flatMap((one) => [
      h("p", { class: "dim" }, "As of ", instant(one.current.window.end), ` (version ${one.version}): ${number(one.current.rows)} rows`,
        ` against ${number(one.reference.rows)} of the reference`),
      bars(one.current.histograms)]),
  ].filter(Boolean);
}
