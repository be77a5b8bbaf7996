// The list of all methods, with its search. Arrow keys walk through it.

import { announce, fill, h } from "./dom.js";
import { spans } from "./markdown.js";
import { methodHash } from "./route.js";

// A list of thousands is cut; the search finds the rest.
const SHOWN = 500;

/** Builds the list into `side`. Gives `{ show(api), mark(name), focusSearch() }`. */
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
  fill(side, h("div.search", search, h("kbd", "/")), count, body);
  let api = null;
  let current = "";

  function draw() {
    if (!api) return;
    const query = search.value.trim();
    const found = api.search(query);
    const shown = found.slice(0, SHOWN);
    fill(body, api.groups(shown).map(group));
    count.textContent =
      query || shown.length < found.length ? `${found.length} of ${api.methods.length} methods` : "";
    mark(current);
  }

  function group({ name, description, methods }) {
    return h(
      "section",
      name !== "" && h("h2", { title: description || null }, name),
      h(
        "ul",
        methods.map((method) => h("li", link(method))),
      ),
    );
  }

  function link(method) {
    return h(
      `a.item${method.deprecated ? ".old" : ""}`,
      { href: methodHash(method.name), "data-name": method.name, title: method.name },
      h("span.name", method.short),
      method.stream && h("span.badge", "stream"),
      method.deprecated && h("span.badge.warn", "deprecated"),
      method.access && h("span.badge", method.access),
      method.summary && h("span.summary", spans(method.summary)),
    );
  }

  function mark(name) {
    current = name;
    for (const item of body.querySelectorAll("a.item")) {
      const isCurrent = item.dataset.name === name;
      if (isCurrent) {
        item.setAttribute("aria-current", "page");
        item.scrollIntoView({ block: "nearest" });
      } else item.removeAttribute("aria-current");
    }
  }

  let clock = 0;
  search.addEventListener("input", () => {
    draw();
    clearTimeout(clock);
    clock = setTimeout(() => announce(count.textContent), 600);
  });
  side.addEventListener("keydown", (event) => {
    const items = [...body.querySelectorAll("a.item")];
    const at = items.indexOf(document.activeElement);
    const isSearch = document.activeElement === search;
    const go = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: isSearch ? null : 0,
      End: isSearch ? null : items.length - 1,
    }[event.key];
    if (event.key === "Escape" && isSearch) {
      search.value = "";
      draw();
    } else if (event.key === "Enter" && isSearch) {
      items[0]?.click();
    } else if (go === -1 && at === 0) {
      event.preventDefault();
      search.focus();
    } else if (go !== null && go !== undefined && items[go]) {
      event.preventDefault();
      items[go].focus();
    }
  });

  return {
    show(next) {
      api = next;
      draw();
    },
    mark,
    focusSearch() {
      search.focus();
      search.select();
    },
  };
}
