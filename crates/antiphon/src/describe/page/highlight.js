// JSON as a tree that folds, in the very characters of the answer; and colours for code.

import { bytes, h } from "./dom.js";
import { scan } from "./json.js";

// How many members appear at once; the next ones come with a button.
const PAGE = 100;

// What is deeper is closed at first.
const OPEN_DEPTH = 3;

// Containers up to this length stay on their line.
const LINE = 64;

// Strings up to this length are shown as a whole.
const STRING = 2000;

// A longer text is not taken apart: a tree of it would cost more than anybody reads.
export const MAX_TREE = 1 << 20;

// So much of it is shown.
const BEGINNING = 20_000;

/** A view of a JSON text, or of the text as it is if it is none; of one longer than `most`, the beginning. */
export function jsonView(text, most = MAX_TREE) {
  if (text.length > most) {
    return h(
      "div",
      h("p.dim", `The first ${bytes(BEGINNING)} of ${bytes(text.length)}.`),
      h("pre.json", { tabindex: 0 }, text.slice(0, BEGINNING).toWellFormed(), "…"),
    );
  }
  try {
    return h("div.json", line("", scan(text), text, "", 0));
  } catch {
    return h("pre.json", text);
  }
}

function line(key, tree, text, comma, depth) {
  const name = key && [h("span.key", key), ": "];
  if (typeof tree === "string") return h("div.line", name, scalar(tree), comma);
  const isFlat = tree.items.every((item) => typeof item === "string");
  if (isFlat && tree.end - tree.start <= LINE) return h("div.line", name, flat(tree), comma);
  return folding(name, tree, text, comma, depth);
}

function flat(tree) {
  const [open, close] = tree.keys ? "{}" : "[]";
  const parts = tree.items.map((item, at) => [
    at > 0 && ", ",
    tree.keys && [h("span.key", tree.keys[at]), ": "],
    scalar(item),
  ]);
  return [open, parts, close];
}

function folding(name, tree, text, comma, depth) {
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
  // What nobody opens is not built: an answer may have hundreds of thousands of numbers.
  const build = () => {
    if (details.open && !body.childElementCount) append(body, tree, text, 0, depth + 1);
  };
  details.addEventListener("toggle", build);
  details.open = depth < OPEN_DEPTH && (depth === 0 || count <= PAGE);
  build();
  return details;
}

function append(body, tree, text, from, depth) {
  const count = tree.items.length;
  const to = Math.min(from + PAGE, count);
  for (let at = from; at < to; at += 1) {
    const comma = at + 1 < count ? "," : "";
    body.append(line(tree.keys?.[at] ?? "", tree.items[at], text, comma, depth));
  }
  if (to === count) return;
  const more = h("button.quiet.small", { type: "button" }, `Show more: ${count - to} left`);
  more.addEventListener("click", () => {
    more.remove();
    append(body, tree, text, to, depth);
  });
  body.append(more);
}

function scalar(text) {
  const kind = text[0] === '"' ? "str" : /[tfn]/.test(text[0]) ? "word" : "num";
  const shown = h(`span.${kind}`, text);
  if (text.length <= STRING) return shown;
  shown.textContent = `${text.slice(0, STRING).toWellFormed()}…`;
  const more = h("button.quiet.small", { type: "button" }, `${text.length - STRING} more characters`);
  more.addEventListener("click", () => {
    shown.textContent = text;
    more.remove();
  });
  return [shown, " ", more];
}

const WORDS =
  "async await const curl def for from fn if import in let match new None null println print Some true false True False use while with".split(
    " ",
  );

const TOKEN =
  /(?<com>(?:\/\/|# ).*)|(?<str>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<num>\b\d[\w.]*)|(?<name>[A-Za-z_]\w*)|[^]/g;

// Longer code is shown plain: colours are not worth a wait.
const MAX_COLOURED = 20_000;

/** Code with some colour. One set of rules for all languages that the page writes. */
export function codeView(code) {
  const pre = h("pre.code", { tabindex: 0 });
  if (code.length > MAX_COLOURED) {
    pre.textContent = code;
    return pre;
  }
  let plain = "";
  const flush = () => {
    pre.append(plain);
    plain = "";
  };
  for (const { 0: token, groups } of code.matchAll(TOKEN)) {
    const kind = groups.com
      ? "com"
      : groups.str
        ? "str"
        : groups.num
          ? "num"
          : WORDS.includes(token)
            ? "word"
            : "";
    if (!kind) {
      plain += token;
      continue;
    }
    flush();
    pre.append(h(`span.${kind}`, token));
  }
  flush();
  return pre;
}
