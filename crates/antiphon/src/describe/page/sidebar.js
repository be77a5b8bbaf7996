// Sidebar: list of methods with search and arrow keys.

import { announce, h, setChildren } from "./dom.js";
import { renderInline } from "./markdown.js";
import { methodHash } from "./route.js";

// A longer list is cut. The search covers all methods.
const MAX_SHOWN = 500;

/** Builds the list into the element `side`: `{ show(api), mark(name), focusSearch() }`. */
export function methodList(side) {
  const search = h("input", {
    type: "search",
    placeholder: "Search methods",
    "aria-label": "Search methods",
    autocomplete: "off",
    spellcheck: "false",
    "aria-keyshortcuts": "/",
  });
  const body = h("nav.list", { "aria-label": "Methods" });
  const count = h("p.dim.count");
  setChildren(side, h("div.search", search, h("kbd", "/")), count, body);
  let api = null;
  let current = "";

  function render() {
    if (!api) return;
    const query = search.value.trim();
    const found = api.search(query);
    const shown = found.slice(0, MAX_SHOWN);
    setChildren(body, api.groups(shown).map(groupView));
    count.textContent =
      query || shown.length < found.length ? `${found.length} of ${api.methods.length} methods` : "";
    setCurrent(current);
  }

  function groupView({ name, description, methods }) {
    return h(
      "section",
      name !== "" && h("h2", { title: description || null }, name),
      h(
        "ul",
        methods.map((method) => h("li", methodLink(method))),
      ),
    );
  }

  function methodLink(method) {
    return h(
      `a.item${method.deprecated ? ".old" : ""}`,
      { href: methodHash(method.name), "data-name": method.name, title: method.name },
      h("span.name", method.short),
      method.stream && h("span.badge", "stream"),
      method.deprecated && h("span.badge.warn", "deprecated"),
      method.access && h("span.badge", method.access),
      method.summary && h("span.summary", renderInline(method.summary)),
    );
  }

  function setCurrent(name) {
    current = name;
    for (const item of body.querySelectorAll("a.item")) {
      const isCurrent = item.dataset.name === name;
      if (isCurrent) {
        item.setAttribute("aria-current", "page");
        item.scrollIntoView({ block: "nearest" });
      } else item.removeAttribute("aria-current");
    }
  }

  let announceTimer = 0;
  search.addEventListener("input", () => {
    render();
    clearTimeout(announceTimer);
    announceTimer = setTimeout(() => announce(count.textContent), 600);
  });
  side.addEventListener("keydown", (event) => {
    const items = [...body.querySelectorAll("a.item")];
    const at = items.indexOf(document.activeElement);
    const isSearch = document.activeElement === search;
    const target = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: isSearch ? null : 0,
      End: isSearch ? null : items.length - 1,
    }[event.key];
    if (event.key === "Escape" && isSearch) {
      search.value = "";
      render();
    } else if (event.key === "Enter" && isSearch) {
      items[0]?.click();
    } else if (target === -1 && at === 0) {
      event.preventDefault();
      search.focus();
    } else if (target !== null && target !== undefined && items[target]) {
      event.preventDefault();
      items[target].focus();
    }
  });

  return {
    show(next) {
      api = next;
      render();
    },
    mark: setCurrent,
    focusSearch() {
      search.focus();
      search.select();
    },
  };
}
