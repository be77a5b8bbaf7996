// The page comes together here: the document is loaded, and what the address names is shown.

import { announce, fill, h } from "./dom.js";
import { accessDialog } from "./access.js";
import { batchView } from "./batch.js";
import { panel } from "./console.js";
import { historyView, onRestore } from "./history.js";
import { methodList } from "./list.js";
import { exampleParams, methodView, missing, overview, schemaView } from "./method.js";
import { load } from "./openrpc.js";
import { methodHash, route } from "./route.js";
import { hasToken, onToken } from "./rpc.js";
import { serverView } from "./server.js";

// Panels keep what was typed, and their subscriptions; the oldest goes when there are more.
const PANELS = 12;

const main = document.getElementById("main");
const layout = document.getElementById("layout");
const list = methodList(document.getElementById("side"));
const server = serverView(() => api);
const panels = new Map();
const bench = h("aside.bench", { "aria-label": "Calls" });
const access = accessDialog();

let api = null;

// Somebody has pressed `/` where there is no list.
let isSearching = false;

function panelOf(method) {
  const found = panels.get(method.name);
  panels.delete(method.name);
  const made = found ?? panel(api, method);
  if (!found && method.examples.length) made.restore({ params: exampleParams(method, method.examples[0]) });
  panels.set(method.name, made);
  if (panels.size > PANELS) {
    const [[name, oldest]] = panels;
    oldest.stop();
    panels.delete(name);
  }
  return made;
}

function show(moved) {
  if (!api) return;
  const { view, name } = route();
  const method = view === "method" ? api.method(name) : undefined;
  layout.dataset.view = view;
  document.getElementById("to-server").setAttribute("aria-current", view === "server" ? "page" : "false");
  document.getElementById("to-methods").setAttribute("aria-current", view === "server" ? "false" : "page");
  document.title = `${view === "server" ? "Server" : name || "Methods"} – ${api.title}`;
  list.mark(method ? name : "");
  if (view === "server") {
    fill(main, server.element);
    server.start();
  } else {
    server.stop();
    const back = h("a.back", { href: "#" }, "← All methods");
    if (method) {
      const tried = panelOf(method);
      fill(bench, tried.element, batchView, historyView);
      const fillIn = (params) => {
        tried.restore({ params });
        tried.element.scrollIntoView({ block: "nearest" });
        announce("The example is in the form");
      };
      fill(main, back, h("div.pair-of", methodView(api, method, fillIn), bench));
    } else {
      const article =
        view === "schema"
          ? schemaView(api, name)
          : view === "method"
            ? missing(`There is no method “${name}” that you may see.`)
            : overview(api);
      fill(bench, batchView, historyView);
      fill(main, view !== "methods" && back, h("div.pair-of", article, bench));
    }
  }
  if (!moved) return;
  scrollTo(0, 0);
  if (isSearching) list.focusSearch();
  else main.focus({ preventScroll: true });
  isSearching = false;
}

async function reload() {
  try {
    api = await load();
  } catch (error) {
    fill(
      main,
      h(
        "div.empty",
        { role: "alert" },
        h("p", error.message),
        h("button", { type: "button", onclick: reload }, "Try again"),
      ),
    );
    return;
  }
  for (const one of panels.values()) one.stop();
  panels.clear();
  const isKnown = api.methods.some((method) => method.access === "admin");
  document.getElementById("access").textContent = !hasToken()
    ? "Access"
    : isKnown
      ? "Admin"
      : "No admin methods";
  document.getElementById("title").textContent = api.title;
  document.getElementById("version").textContent = api.version === "0.0.0" ? "" : api.version;
  list.show(api);
  show(false);
}

onRestore((call) => {
  const hash = methodHash(call.method.name);
  const method = api.method(call.method.name);
  if (!method) return;
  panelOf(method).restore(call);
  if (location.hash === hash) show(true);
  else location.hash = hash;
});

addEventListener("hashchange", () => show(true));
onToken(reload);

document.getElementById("access").addEventListener("click", access.open);
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, dialog")) return;
  event.preventDefault();
  const isHidden = getComputedStyle(document.getElementById("side")).display === "none";
  if (!isHidden) return list.focusSearch();
  // The list is back once the address has changed.
  isSearching = true;
  location.hash = "";
});

reload();
