// Lossless JSON: a syntax tree over the raw text, and values that keep every digit of a number.

/** A number that JavaScript would write differently, such as a big integer, `1.0` or `1e400`. */
export class ExactNumber {
  constructor(text) {
    this.text = text;
  }
}

// The parser and the functions that walk its trees are recursive. Servers allow less than this.
const MAX_DEPTH = 500;

const WHITESPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;

/**
 * Parses a text into a tree. A scalar is its raw text, an array is `{ start, end, items }`, an object
 * has raw `keys` as well. Throws a `SyntaxError` with line and column.
 */
export function parseTree(text) {
  let at = 0;

  const fail = (what) => {
    const before = text.slice(0, at).split("\n");
    const place = `line ${before.length}, column ${before.at(-1).length + 1}`;
    throw new SyntaxError(`${what} at ${place}`);
  };
  const skipWhitespace = () => {
    WHITESPACE.lastIndex = at;
    WHITESPACE.test(text);
    at = WHITESPACE.lastIndex;
  };
  const parseString = () => {
    const start = at;
    let end = at;
    // Not a regular expression, because a string may have megabytes.
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
  const parseScalar = () => {
    for (const pattern of [NUMBER, LITERAL]) {
      pattern.lastIndex = at;
      if (pattern.test(text)) {
        const found = text.slice(at, pattern.lastIndex);
        at = pattern.lastIndex;
        return found;
      }
    }
    return fail(at < text.length ? `no JSON value: “${text.slice(at, at + 12)}”` : "the text ends");
  };
  const parseContainer = (close, isObject, depth) => {
    const node = { start: at, end: 0, items: [] };
    if (isObject) node.keys = [];
    at += 1;
    skipWhitespace();
    while (text[at] !== close) {
      if (node.items.length) {
        if (text[at] !== ",") fail(`“,” or “${close}” is missing`);
        at += 1;
        skipWhitespace();
      }
      if (isObject) {
        if (text[at] !== '"') fail("a name in quotes is missing");
        node.keys.push(parseString());
        skipWhitespace();
        if (text[at] !== ":") fail("“:” is missing");
        at += 1;
      }
      node.items.push(parseValue(depth + 1));
      skipWhitespace();
    }
    at += 1;
    node.end = at;
    return node;
  };
  const parseValue = (depth) => {
    if (depth > MAX_DEPTH) fail("too deep");
    skipWhitespace();
    if (text[at] === '"') return parseString();
    if (text[at] === "[") return parseContainer("]", false, depth);
    if (text[at] === "{") return parseContainer("}", true, depth);
    return parseScalar();
  };

  const root = parseValue(0);
  skipWhitespace();
  if (at < text.length) fail("more text follows");
  return root;
}

/** The raw text of a node. */
export function rawText(tree, text) {
  return typeof tree === "string" ? tree : text.slice(tree.start, tree.end);
}

/** A member of an object node, or `undefined`. The last one counts if a name occurs twice. */
export function member(tree, name) {
  const at = tree?.keys?.findLastIndex((key) => JSON.parse(key) === name) ?? -1;
  return at < 0 ? undefined : tree.items[at];
}

/** Parses a text into values: objects without prototype, and `ExactNumber` where a number would change. */
export function parse(text) {
  return toValue(parseTree(text));
}

function toValue(tree) {
  if (typeof tree === "string") return scalarToValue(tree);
  if (!tree.keys) return tree.items.map(toValue);
  const object = Object.create(null);
  tree.keys.forEach((key, at) => (object[JSON.parse(key)] = toValue(tree.items[at])));
  return object;
}

function scalarToValue(text) {
  const plain = JSON.parse(text);
  return typeof plain === "number" && String(plain) !== text ? new ExactNumber(text) : plain;
}

/** A value as JSON text. Parts that are longer than `width` are broken into lines. */
export function stringify(value, width = Infinity, pad = "") {
  if (value instanceof ExactNumber) return value.text;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const isArray = Array.isArray(value);
  const inner = `${pad}  `;
  const parts = isArray
    ? value.map((item) => stringify(item, width, inner))
    : Object.keys(value).map((key) => `${JSON.stringify(key)}: ${stringify(value[key], width, inner)}`);
  const [open, close] = isArray ? "[]" : "{}";
  const line = `${open}${parts.join(", ")}${close}`;
  if (!parts.length || (line.length + pad.length <= width && !line.includes("\n"))) return line;
  return `${open}\n${parts.map((part) => inner + part).join(",\n")}\n${pad}${close}`;
}

export function isObject(value) {
  return (
    value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof ExactNumber)
  );
}

/** A number or `ExactNumber` as a JavaScript number, for comparisons. */
export function toNumber(value) {
  return value instanceof ExactNumber ? Number(value.text) : value;
}

/** Whether two values are equal. The order of members does not matter. */
export function isEqual(a, b) {
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => key in b && isEqual(a[key], b[key]));
  }
  return stringify(a) === stringify(b);
}
