// JSON viewer: a tree that folds and shows the exact text of the response.

import { h } from "./dom.js";
import { formatBytes } from "./format.js";
import { parseTree } from "./json.js";

// Members that are shown at once. A button shows the next ones.
const PAGE_SIZE = 100;

// Deeper levels are closed at first.
const OPEN_DEPTH = 3;

// Containers of scalars up to this length are shown on one line.
const MAX_INLINE = 64;

// Longer strings are shortened until the user asks for the rest.
const MAX_STRING = 2000;

// A longer text is shown without a tree, which would be too slow to build.
export const MAX_TREE = 1 << 20;

// Length of the part that is shown of such a text.
const MAX_PLAIN = 20_000;

/** A view of a JSON text. Text that is not JSON is shown unchanged; above `limit`, only its beginning. */
export function jsonView(text, limit = MAX_TREE) {
  if (text.length > limit) {
    return h(
      "div",
      h("p.dim", `The first ${formatBytes(MAX_PLAIN)} of ${formatBytes(text.length)}.`),
      h("pre.json", { tabindex: 0 }, text.slice(0, MAX_PLAIN).toWellFormed(), "…"),
    );
  }
  try {
    return h("div.json", lineView("", parseTree(text), text, "", 0));
  } catch {
    return h("pre.json", text);
  }
}

function lineView(key, tree, text, comma, depth) {
  const name = key && [h("span.key", key), ": "];
  if (typeof tree === "string") return h("div.line", name, scalarView(tree), comma);
  const isFlat = tree.items.every((item) => typeof item === "string");
  if (isFlat && tree.end - tree.start <= MAX_INLINE) return h("div.line", name, inlineView(tree), comma);
  return foldedView(name, tree, text, comma, depth);
}

function inlineView(tree) {
  const [open, close] = tree.keys ? "{}" : "[]";
  const parts = tree.items.map((item, at) => [
    at > 0 && ", ",
    tree.keys && [h("span.key", tree.keys[at]), ": "],
    scalarView(item),
  ]);
  return [open, parts, close];
}

function foldedView(name, tree, text, comma, depth) {
  const [open, close] = tree.keys ? "{}" : "[]";
  const count = tree.items.length;
  const noun = tree.keys ? (count === 1 ? "member" : "members") : count === 1 ? "item" : "items";
  const body = h("div.kids");
  const details = h(
    "details",
    h("summary", name, open, h("span.folded", ` ${count} ${noun} ${close}${comma}`)),
    body,
    h("div.close", close, comma),
  );
  // Children are built when a node is opened: a response may have hundreds of thousands of numbers.
  const build = () => {
    if (details.open && !body.childElementCount) appendPage(body, tree, text, 0, depth + 1);
  };
  details.addEventListener("toggle", build);
  details.open = depth < OPEN_DEPTH && (depth === 0 || count <= PAGE_SIZE);
  build();
  return details;
}

function appendPage(body, tree, text, from, depth) {
  const count = tree.items.length;
  const to = Math.min(from + PAGE_SIZE, count);
  for (let at = from; at < to; at += 1) {
    const comma = at + 1 < count ? "," : "";
    body.append(lineView(tree.keys?.[at] ?? "", tree.items[at], text, comma, depth));
  }
  if (to === count) return;
  const more = h("button.quiet.small", { type: "button" }, `Show more: ${count - to} left`);
  more.addEventListener("click", () => {
    more.remove();
    appendPage(body, tree, text, to, depth);
  });
  body.append(more);
}

function scalarView(text) {
  const kind = text[0] === '"' ? "str" : /[tfn]/.test(text[0]) ? "word" : "num";
  const shown = h(`span.${kind}`, text);
  if (text.length <= MAX_STRING) return shown;
  shown.textContent = `${text.slice(0, MAX_STRING).toWellFormed()}…`;
  const more = h("button.quiet.small", { type: "button" }, `${text.length - MAX_STRING} more characters`);
  more.addEventListener("click", () => {
    shown.textContent = text;
    more.remove();
  });
  return [shown, " ", more];
}
