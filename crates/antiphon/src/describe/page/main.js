// Entry point: loads the description of the server and shows the view that the URL names.

import { batchView } from "./batch.js";
import { callForm } from "./call_form.js";
import { serverView } from "./dashboard.js";
import { tokenDialog } from "./dialogs.js";
import { exampleParams, methodView, notFoundView, overviewView, schemaView } from "./docs.js";
import { announce, h, setChildren } from "./dom.js";
import { historyView, onRestore } from "./history.js";
import { loadDocument } from "./openrpc.js";
import { methodHash, parseRoute } from "./route.js";
import { hasToken, onToken } from "./rpc.js";
import { methodList } from "./sidebar.js";

// Forms that keep their input and subscriptions. The least recently used one is dropped.
const MAX_FORMS = 12;

const main = document.getElementById("main");
const layout = document.getElementById("layout");
const sidebar = methodList(document.getElementById("side"));
const server = serverView(() => api);
const forms = new Map();
const workspace = h("aside.bench", { "aria-label": "Calls" });
const dialog = tokenDialog();

let api = null;

// The user has pressed `/` in a view without the list of methods.
let isSearching = false;

function formOf(method) {
  const existing = forms.get(method.name);
  forms.delete(method.name);
  const form = existing ?? callForm(api, method);
  if (!existing && method.examples.length)
    form.restore({ params: exampleParams(method, method.examples[0]) });
  forms.set(method.name, form);
  if (forms.size > MAX_FORMS) {
    const [[name, oldest]] = forms;
    oldest.stop();
    forms.delete(name);
  }
  return form;
}

function render(hasMoved) {
  if (!api) return;
  const { view, name } = parseRoute();
  const method = view === "method" ? api.method(name) : undefined;
  layout.dataset.view = view;
  document.getElementById("to-server").setAttribute("aria-current", view === "server" ? "page" : "false");
  document.getElementById("to-methods").setAttribute("aria-current", view === "server" ? "false" : "page");
  document.title = `${view === "server" ? "Server" : name || "Methods"} – ${api.title}`;
  sidebar.mark(method ? name : "");
  if (view === "server") {
    setChildren(main, server.element);
    server.start();
  } else {
    server.stop();
    const back = h("a.back", { href: "#" }, "← All methods");
    if (method) {
      const form = formOf(method);
      setChildren(workspace, form.element, batchView, historyView);
      const fillIn = (params) => {
        form.restore({ params });
        form.element.scrollIntoView({ block: "nearest" });
        announce("The example is in the form");
      };
      setChildren(main, back, h("div.pair-of", methodView(api, method, fillIn), workspace));
    } else {
      const article =
        view === "schema"
          ? schemaView(api, name)
          : view === "method"
            ? notFoundView(`There is no method “${name}” that you may see.`)
            : overviewView(api);
      setChildren(workspace, batchView, historyView);
      setChildren(main, view !== "methods" && back, h("div.pair-of", article, workspace));
    }
  }
  if (!hasMoved) return;
  scrollTo(0, 0);
  if (isSearching) sidebar.focusSearch();
  else main.focus({ preventScroll: true });
  isSearching = false;
}

async function reload() {
  try {
    api = await loadDocument();
  } catch (error) {
    setChildren(
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
  for (const one of forms.values()) one.stop();
  forms.clear();
  const isKnown = api.methods.some((method) => method.access === "admin");
  document.getElementById("access").textContent = !hasToken()
    ? "Access"
    : isKnown
      ? "Admin"
      : "No admin methods";
  document.getElementById("title").textContent = api.title;
  document.getElementById("version").textContent = api.version === "0.0.0" ? "" : api.version;
  sidebar.show(api);
  render(false);
}

onRestore((call) => {
  const hash = methodHash(call.method.name);
  const method = api.method(call.method.name);
  if (!method) return;
  formOf(method).restore(call);
  if (location.hash === hash) render(true);
  else location.hash = hash;
});

addEventListener("hashchange", () => render(true));
onToken(reload);

document.getElementById("access").addEventListener("click", dialog.open);
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, dialog")) return;
  event.preventDefault();
  const isHidden = getComputedStyle(document.getElementById("side")).display === "none";
  if (!isHidden) return sidebar.focusSearch();
  // The list is visible again after the change of the URL.
  isSearching = true;
  location.hash = "";
});

reload();
