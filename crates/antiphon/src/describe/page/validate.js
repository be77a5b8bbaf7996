// Whether a value fits a schema: the keywords that our servers write, and a few more.

import { Exact, isObject, same, toNumber, write } from "./json.js";

// Deeper values are left to the server.
const MAX_DEPTH = 40;

const RANGES = {
  int8: [-(2n ** 7n), 2n ** 7n - 1n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  int: [-(2n ** 63n), 2n ** 63n - 1n],
  int128: [-(2n ** 127n), 2n ** 127n - 1n],
  uint8: [0n, 2n ** 8n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  uint: [0n, 2n ** 64n - 1n],
  uint128: [0n, 2n ** 128n - 1n],
};

/** What is wrong with a value, as `[{ path, message }]`; nothing wrong is an empty list. */
export function problems(api, schema, value, path = "", depth = 0) {
  if (depth > MAX_DEPTH) return [];
  const name = path || "It";
  if (schema === false) return [{ path, message: "nothing fits here" }];
  schema = api.resolve(schema);
  if (!isObject(schema)) return [];
  const found = [];
  const say = (message) => found.push({ path, message: path ? `${path} ${message}` : message });

  const types = typesOf(schema);
  if (types.length && !types.some((type) => hasType(value, type))) {
    say(`must be ${types.map(withArticle).join(" or ")}`);
    return found;
  }
  if ("const" in schema && !same(schema.const, value)) say(`must be ${write(schema.const)}`);
  if (Array.isArray(schema.enum) && !schema.enum.some((one) => same(one, value)))
    say(
      `must be one of ${schema.enum
        .slice(0, 8)
        .map((one) => write(one))
        .join(", ")}`,
    );

  if (typeof value === "string") texts(schema, value, say);
  else if (isNumber(value)) numbers(schema, value, say);
  else if (Array.isArray(value)) found.push(...arrays(api, schema, value, path, depth, say));
  else if (isObject(value)) found.push(...objects(api, schema, value, path, depth, say));

  for (const part of list(schema.allOf)) found.push(...problems(api, part, value, path, depth + 1));
  const fits = (part) => problems(api, part, value, path, depth + 1).length === 0;
  if (list(schema.anyOf).length && !schema.anyOf.some(fits)) say("fits none of the forms it may have");
  if (list(schema.oneOf).length) {
    const count = schema.oneOf.filter(fits).length;
    if (count !== 1)
      say(count ? "fits several forms of which it must have one" : "fits none of the forms it may have");
  }
  return found;
}

function list(value) {
  return Array.isArray(value) ? value : [];
}

/** The names of types that a schema allows; empty for any. */
export function typesOf(schema) {
  if (!isObject(schema)) return [];
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  return types.filter((type) => typeof type === "string");
}

function isNumber(value) {
  return typeof value === "number" || value instanceof Exact;
}

function hasType(value, type) {
  switch (type) {
    case "null":
      return value === null;
    case "boolean":
      return typeof value === "boolean";
    case "string":
      return typeof value === "string";
    case "number":
      return isNumber(value);
    case "integer":
      return isNumber(value) && isInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    default:
      return true;
  }
}

/** Texts such as `1.0` are integers by the rules of schemas, but no server's type takes them. */
function isInteger(value) {
  return value instanceof Exact ? /^-?\d+$/.test(value.text) : Number.isInteger(value);
}

function withArticle(type) {
  if (type === "null") return "null";
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function texts(schema, value, say) {
  const length = [...value].length;
  const { minLength: least, maxLength: most } = schema;
  if (length < toNumber(least))
    say(least === 1 ? "must not be empty" : `must have at least ${write(least)} characters`);
  if (length > toNumber(most)) say(`must have at most ${write(most)} characters`);
  if (typeof schema.pattern === "string") {
    let pattern;
    try {
      pattern = new RegExp(schema.pattern, "u");
    } catch {
      return;
    }
    // A pattern may take for ever; a long text is the server's to judge.
    if (value.length <= 200 && !pattern.test(value)) say(`must match ${schema.pattern}`);
  }
}

function numbers(schema, value, say) {
  const number = toNumber(value);
  const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below, multipleOf } = schema;
  if (number < toNumber(minimum)) return say(`must be at least ${write(minimum)}`);
  if (number > toNumber(maximum)) return say(`must be at most ${write(maximum)}`);
  if (number <= toNumber(above)) return say(`must be greater than ${write(above)}`);
  if (number >= toNumber(below)) return say(`must be less than ${write(below)}`);
  if (
    multipleOf !== undefined &&
    Math.abs(number / toNumber(multipleOf) - Math.round(number / toNumber(multipleOf))) > 1e-9
  )
    return say(`must be a multiple of ${write(multipleOf)}`);
  const range = Object.hasOwn(RANGES, schema.format) ? RANGES[schema.format] : null;
  const whole = range && isInteger(value) ? BigInt(write(value)) : null;
  if (whole !== null && (whole < range[0] || whole > range[1]))
    say(`must be between ${range[0]} and ${range[1]}`);
  return undefined;
}

function arrays(api, schema, value, path, depth, say) {
  if (value.length < toNumber(schema.minItems)) say(`must have at least ${count(schema.minItems, "item")}`);
  if (value.length > toNumber(schema.maxItems)) say(`must have at most ${count(schema.maxItems, "item")}`);
  if (schema.uniqueItems === true && new Set(value.map((item) => write(item))).size < value.length)
    say("must not have the same item twice");
  const fixed = Array.isArray(schema.items) ? schema.items : list(schema.prefixItems);
  const rest = Array.isArray(schema.items) ? (schema.additionalItems ?? true) : (schema.items ?? true);
  return value.flatMap((item, at) => problems(api, fixed[at] ?? rest, item, `${path}[${at}]`, depth + 1));
}

function count(number, noun) {
  return `${write(number)} ${noun}${number === 1 ? "" : "s"}`;
}

function objects(api, schema, value, path, depth, say) {
  const known = isObject(schema.properties) ? schema.properties : {};
  const inner = (name) => (path ? `${path}.${name}` : name);
  for (const name of list(schema.required)) {
    if (!Object.hasOwn(value, name)) say(`lacks ${JSON.stringify(name)}`);
  }
  return Object.keys(value).flatMap((name) => {
    if (Object.hasOwn(known, name)) return problems(api, known[name], value[name], inner(name), depth + 1);
    if (schema.additionalProperties === false)
      return [{ path: inner(name), message: `${inner(name)} is unknown` }];
    return problems(api, schema.additionalProperties ?? true, value[name], inner(name), depth + 1);
  });
}
