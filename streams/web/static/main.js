// The frame around the pages: which model and time, what is new, keys, light and dark.

import { ask, keepToken, listen, session } from "./api.js";
import { clean, h, number } from "./dom.js";
import { RANGES, address, change, get, page } from "./url.js";

const PAGES = {
  "/": () => import("./ops.js"), "/science": () => import("./science.js"),
  "/business": () => import("./business.js"), "/incident": () => import("./incident.js"),
};
const LOOK_MS = 2000;
const GATHER_MS = 150;
const KEYS = { 1: "/", 2: "/science", 3: "/business" };

const find = (id) => document.getElementById(id);
const form = find("token");
let shown = null;
let allowed = null;
let taken = -1;
let waiting = null;
let busy = false;
let again = false;

function complain(error) {
  form.hidden = error.status !== 401 && error.code !== "right";
  find("health").textContent = error.message;
  find("health").className = "red";
}

function options(select, entries, value) {
  const said = JSON.stringify(entries);
  if (select.dataset.said !== said) {
    select.dataset.said = said;
    select.replaceChildren(...entries.map(([key, text]) => h("option", { value: key }, text)));
  }
  select.value = value;
}

async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    do {
      again = false;
      const [{ models }, opened] = await Promise.all([ask("/v1/models"), allowed ?? session()]);
      allowed = opened;
      form.hidden = true;
      const model = models.find((one) => one.model === get("model")) ?? models[0] ?? null;
      options(find("model"), models.map((one) => [one.model, clean(one.model)]), model?.model ?? "");
      const custom = get("from") || get("to");
      options(find("range"), [...(custom ? [["custom", "as in the address"]] : []), ...Object.entries(RANGES)], custom ? "custom" : get("range"));
      for (const link of document.querySelectorAll("nav a")) {
        const path = link.dataset.page;
        link.href = address(path, { model: get("model") });
        if (path === page()) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
      await shown.refresh({ models, model, session: allowed });
      document.body.dataset.ready ??= String(Math.round(performance.now()));
    } while (again);
  } catch (error) {
    complain(error);
  } finally {
    busy = false;
  }
}

// What comes together is shown together.
function soon() {
  if (waiting === null) waiting = setTimeout(() => { waiting = null; refresh(); }, GATHER_MS);
}

async function look() {
  if (document.hidden) return;
  try {
    const found = await ask("/v1/pipeline");
    const lag = Object.values(found.backlog).reduce((sum, one) => sum + one, 0);
    find("health").textContent = found.complete ? `● ${found.status}, ${number(lag)} records waiting`
      : "○ taking in what is stored";
    find("health").className = found.status === "ok" ? "" : "red";
    if (found.taken !== taken) { taken = found.taken; soon(); }
  } catch (error) {
    complain(error);
  }
}

function theme(next) {
  if (next) {
    document.documentElement.dataset.theme = next;
    localStorage.setItem("theme", next);
    dispatchEvent(new Event("repaint"));
    soon();
  }
}

const dark = () => (document.documentElement.dataset.theme
  ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

find("theme").addEventListener("click", () => theme(dark() ? "light" : "dark"));
find("model").addEventListener("change", (event) => change({ model: event.target.value, signal: "" }));
find("range").addEventListener("change", (event) => change({ range: event.target.value, from: "", to: "" }));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(new FormData(form).get("token"));
  form.reset();
  allowed = null;
  taken = -1;
  look();
  refresh();
});
addEventListener("asked", refresh);
addEventListener("popstate", refresh);
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) return;
  if (KEYS[event.key]) location.assign(address(KEYS[event.key], { model: get("model") }));
  if (event.key === "m") find("model").focus();
  if (event.key === "r") find("range").focus();
  if (event.key === "t") theme(dark() ? "light" : "dark");
});

const kept = localStorage.getItem("theme");
if (kept) document.documentElement.dataset.theme = kept;
const { Page } = await (PAGES[page()] ?? PAGES["/"])();
shown = new Page(find("main"));
refresh();
look();
setInterval(look, LOOK_MS);
const leaving = new AbortController();
addEventListener("pagehide", () => leaving.abort());
listen(["alerts", "drift-events", "retrain-requests", "rollback-requests"], soon, leaving.signal);

