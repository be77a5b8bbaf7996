// JSON without loss: a tree over the raw text, and values in which no number loses a digit.

/** A number that JavaScript would write differently: a big integer, `1.0`, `1e400`. */
export class Exact {
  constructor(text) {
    this.text = text;
  }
}

// The scanner and all that walks its trees recurse. Servers allow less.
const MAX_DEPTH = 500;

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;

/**
 * The tree of a text: a scalar is its raw text, an array `{ start, end, items }`, an object has
 * `keys` (raw) as well. Throws a `SyntaxError` that says where.
 */
export function scan(text) {
  let at = 0;

  const fail = (what) => {
    const before = text.slice(0, at).split("\n");
    const place = `line ${before.length}, column ${before.at(-1).length + 1}`;
    throw new SyntaxError(`${what} at ${place}`);
  };
  const skip = () => {
    SPACE.lastIndex = at;
    SPACE.test(text);
    at = SPACE.lastIndex;
  };
  const string = () => {
    const start = at;
    let end = at;
    // No regular expression: strings may have megabytes.
    for (;;) {
      end = text.indexOf('"', end + 1);
      if (end < 0) fail("a string without end begins");
      let slashes = 0;
      while (text[end - 1 - slashes] === "\\") slashes += 1;
      if (slashes % 2 === 0) break;
    }
    at = end + 1;
    return text.slice(start, at);
  };
  const scalar = () => {
    for (const pattern of [NUMBER, WORD]) {
      pattern.lastIndex = at;
      if (pattern.test(text)) {
        const found = text.slice(at, pattern.lastIndex);
        at = pattern.lastIndex;
        return found;
      }
    }
    return fail(at < text.length ? `no JSON value: “${text.slice(at, at + 12)}”` : "the text ends");
  };
  const container = (close, isObject, depth) => {
    const node = { start: at, end: 0, items: [] };
    if (isObject) node.keys = [];
    at += 1;
    skip();
    while (text[at] !== close) {
      if (node.items.length) {
        if (text[at] !== ",") fail(`“,” or “${close}” is missing`);
        at += 1;
        skip();
      }
      if (isObject) {
        if (text[at] !== '"') fail("a name in quotes is missing");
        node.keys.push(string());
        skip();
        if (text[at] !== ":") fail("“:” is missing");
        at += 1;
      }
      node.items.push(any(depth + 1));
      skip();
    }
    at += 1;
    node.end = at;
    return node;
  };
  const any = (depth) => {
    if (depth > MAX_DEPTH) fail("too deep");
    skip();
    if (text[at] === '"') return string();
    if (text[at] === "[") return container("]", false, depth);
    if (text[at] === "{") return container("}", true, depth);
    return scalar();
  };

  const root = any(0);
  skip();
  if (at < text.length) fail("more text follows");
  return root;
}

/** The raw text of a part of a tree. */
export function raw(tree, text) {
  return typeof tree === "string" ? tree : text.slice(tree.start, tree.end);
}

/** A member of a scanned object; `undefined` without one. The last of the same name counts. */
export function member(tree, name) {
  const at = tree?.keys?.findLastIndex((key) => JSON.parse(key) === name) ?? -1;
  return at < 0 ? undefined : tree.items[at];
}

/** A text as values: objects without prototype, and `Exact` where a number would change. */
export function parse(text) {
  return value(scan(text));
}

function value(tree) {
  if (typeof tree === "string") return scalarValue(tree);
  if (!tree.keys) return tree.items.map(value);
  const object = Object.create(null);
  tree.keys.forEach((key, at) => (object[JSON.parse(key)] = value(tree.items[at])));
  return object;
}

function scalarValue(text) {
  const plain = JSON.parse(text);
  return typeof plain === "number" && String(plain) !== text ? new Exact(text) : plain;
}

/** Values as text again; with `width`, longer ones over several lines. */
export function write(value, width = Infinity, pad = "") {
  if (value instanceof Exact) return value.text;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const isArray = Array.isArray(value);
  const inner = `${pad}  `;
  const parts = isArray
    ? value.map((item) => write(item, width, inner))
    : Object.keys(value).map((key) => `${JSON.stringify(key)}: ${write(value[key], width, inner)}`);
  const [open, close] = isArray ? "[]" : "{}";
  const line = `${open}${parts.join(", ")}${close}`;
  if (!parts.length || (line.length + pad.length <= width && !line.includes("\n"))) return line;
  return `${open}\n${parts.map((part) => inner + part).join(",\n")}\n${pad}${close}`;
}

export function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Exact);
}

/** A number of either kind as JavaScript has it, for comparisons and plots. */
export function toNumber(value) {
  return value instanceof Exact ? Number(value.text) : value;
}

/** Whether two values are the same JSON, up to the order of members. */
export function same(a, b) {
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => key in b && same(a[key], b[key]));
  }
  return write(a) === write(b);
}
