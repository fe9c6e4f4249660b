// Two histograms, then and now, as bars with their numbers.

import { h, percent } from "./dom.js";

const MOST = 20;

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
