// Making elements. Texts are set, never parsed as HTML: names come from whoever sends events.

const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

const LONG = 50;

export const clean = (text) => String(text).replace(CONTROL, "");

// h("td", {class: "number"}, "text", element, null)
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : clean(value));
  }
  element.append(...children.flat().filter((one) => one != null && one !== false)
    .map((one) => (one instanceof Node ? one : clean(one))));
  return element;
}

// Put children in place of those that are there; who had the focus keeps it (by data-key).
export function fill(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const key = focused?.dataset.key;
  element.replaceChildren(...children.flat().filter((one) => one != null));
  if (key) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

export function panel(title, ...children) {
  const id = `h-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return h("section", { class: "panel", "aria-labelledby": id }, h("h2", { id }, title), ...children);
}

// Rows of cells; a cell is a text, a number, or an element.
export function table(caption, headings, rows, empty) {
  if (!rows.length) return h("p", { class: "none" }, empty);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {},
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, headings.map((one) => h("th", { scope: "col" }, one)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((one) =>
        h("td", { class: typeof one === "number" ? "number" : one?.length > LONG ? "words" : null },
          typeof one === "number" ? number(one) : one ?? "–")))))));
}

const SIGNS = { red: "■", yellow: "▲", green: "●", resolved: "●", none: "○", breach: "■" };

// A state by shape, word and colour together.
export function state(word) {
  return h("span", { class: `state ${word}` },
    h("span", { "aria-hidden": "true" }, SIGNS[word] ?? "○"), ` ${word}`);
}

export function number(value, digits = 4) {
  if (value == null || !Number.isFinite(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(digits)));
}

export const percent = (value, digits = 1) =>
  value == null ? "–" : `${(100 * value).toFixed(digits)} %`;

export const instant = (text) => {
  if (text == null) return "–";
  const at = typeof text === "number" ? new Date(text).toISOString() : text;
  return h("time", { datetime: at }, at.slice(0, 16).replace("T", " "));
};

const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];

export function duration(ms) {
  if (ms == null) return "–";
  const found = UNITS.findIndex(([, size]) => Math.abs(ms) >= size);
  if (found < 0) return `${Math.round(ms)} ms`;
  const [unit, size] = UNITS[found];
  const whole = Math.floor(ms / size);
  const next = UNITS[found + 1];
  const rest = next && whole < 10 ? Math.floor((ms % size) / next[1]) : 0;
  return rest ? `${whole} ${unit} ${rest} ${next[0]}` : `${whole} ${unit}`;
}

export function meter(share, text) {
  const fillOf = h("span", { class: share > 1 ? "over" : null });
  fillOf.style.width = `${Math.min(100, Math.max(0, 100 * share))}%`;
  return h("span", { class: "meter" }, h("span", { class: "track", "aria-hidden": "true" }, fillOf),
    ` ${text}`);
}
