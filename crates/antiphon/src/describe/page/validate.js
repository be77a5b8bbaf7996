// JSON Schema validator for the keywords that Antiphon servers use, and a few more.

import { ExactNumber, isEqual, isObject, stringify, toNumber } from "./json.js";

// Deeper values are not validated here; the server does it.
const MAX_DEPTH = 40;

const INTEGER_RANGES = {
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

/** The problems of a value as `[{ path, message }]`, empty if it is valid. */
export function validate(api, schema, value, path = "", depth = 0) {
  if (depth > MAX_DEPTH) return [];
  if (schema === false) return [{ path, message: "nothing fits here" }];
  schema = api.resolve(schema);
  if (!isObject(schema)) return [];
  const found = [];
  const report = (message) => found.push({ path, message: path ? `${path} ${message}` : message });

  const types = typesOf(schema);
  if (types.length && !types.some((type) => hasType(value, type))) {
    report(`must be ${types.map(withArticle).join(" or ")}`);
    return found;
  }
  if ("const" in schema && !isEqual(schema.const, value)) report(`must be ${stringify(schema.const)}`);
  if (Array.isArray(schema.enum) && !schema.enum.some((one) => isEqual(one, value)))
    report(
      `must be one of ${schema.enum
        .slice(0, 8)
        .map((one) => stringify(one))
        .join(", ")}`,
    );

  if (typeof value === "string") validateString(schema, value, report);
  else if (isNumber(value)) validateNumber(schema, value, report);
  else if (Array.isArray(value)) found.push(...validateArray(api, schema, value, path, depth, report));
  else if (isObject(value)) found.push(...validateObject(api, schema, value, path, depth, report));

  for (const part of asArray(schema.allOf)) found.push(...validate(api, part, value, path, depth + 1));
  const fits = (part) => validate(api, part, value, path, depth + 1).length === 0;
  if (asArray(schema.anyOf).length && !schema.anyOf.some(fits)) report("fits none of the forms it may have");
  if (asArray(schema.oneOf).length) {
    const count = schema.oneOf.filter(fits).length;
    if (count !== 1)
      report(count ? "fits several forms of which it must have one" : "fits none of the forms it may have");
  }
  return found;
}

function asArray(value) {
  return Array.isArray(value) ? value : [];
}

/** The names of the types that a schema allows; empty if it allows any. */
export function typesOf(schema) {
  if (!isObject(schema)) return [];
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  return types.filter((type) => typeof type === "string");
}

function isNumber(value) {
  return typeof value === "number" || value instanceof ExactNumber;
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

/** `1.0` is an integer in JSON Schema, but the integer types of servers do not accept it. */
function isInteger(value) {
  return value instanceof ExactNumber ? /^-?\d+$/.test(value.text) : Number.isInteger(value);
}

function withArticle(type) {
  if (type === "null") return "null";
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function validateString(schema, value, say) {
  const length = [...value].length;
  const { minLength: least, maxLength: most } = schema;
  if (length < toNumber(least))
    say(least === 1 ? "must not be empty" : `must have at least ${stringify(least)} characters`);
  if (length > toNumber(most)) say(`must have at most ${stringify(most)} characters`);
  if (typeof schema.pattern === "string") {
    let pattern;
    try {
      pattern = new RegExp(schema.pattern, "u");
    } catch {
      return;
    }
    // A pattern may take very long on a long text. The server checks it.
    if (value.length <= 200 && !pattern.test(value)) say(`must match ${schema.pattern}`);
  }
}

function validateNumber(schema, value, say) {
  const number = toNumber(value);
  const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below, multipleOf } = schema;
  if (number < toNumber(minimum)) return say(`must be at least ${stringify(minimum)}`);
  if (number > toNumber(maximum)) return say(`must be at most ${stringify(maximum)}`);
  if (number <= toNumber(above)) return say(`must be greater than ${stringify(above)}`);
  if (number >= toNumber(below)) return say(`must be less than ${stringify(below)}`);
  if (
    multipleOf !== undefined &&
    Math.abs(number / toNumber(multipleOf) - Math.round(number / toNumber(multipleOf))) > 1e-9
  )
    return say(`must be a multiple of ${stringify(multipleOf)}`);
  const range = Object.hasOwn(INTEGER_RANGES, schema.format) ? INTEGER_RANGES[schema.format] : null;
  const whole = range && isInteger(value) ? BigInt(stringify(value)) : null;
  if (whole !== null && (whole < range[0] || whole > range[1]))
    say(`must be between ${range[0]} and ${range[1]}`);
  return undefined;
}

function validateArray(api, schema, value, path, depth, say) {
  if (value.length < toNumber(schema.minItems)) say(`must have at least ${count(schema.minItems, "item")}`);
  if (value.length > toNumber(schema.maxItems)) say(`must have at most ${count(schema.maxItems, "item")}`);
  if (schema.uniqueItems === true && new Set(value.map((item) => stringify(item))).size < value.length)
    say("must not have the same item twice");
  const fixed = Array.isArray(schema.items) ? schema.items : asArray(schema.prefixItems);
  const rest = Array.isArray(schema.items) ? (schema.additionalItems ?? true) : (schema.items ?? true);
  return value.flatMap((item, at) => validate(api, fixed[at] ?? rest, item, `${path}[${at}]`, depth + 1));
}

function count(number, noun) {
  return `${stringify(number)} ${noun}${number === 1 ? "" : "s"}`;
}

function validateObject(api, schema, value, path, depth, say) {
  const known = isObject(schema.properties) ? schema.properties : {};
  const inner = (name) => (path ? `${path}.${name}` : name);
  for (const name of asArray(schema.required)) {
    if (!Object.hasOwn(value, name)) say(`lacks ${JSON.stringify(name)}`);
  }
  return Object.keys(value).flatMap((name) => {
    if (Object.hasOwn(known, name)) return validate(api, known[name], value[name], inner(name), depth + 1);
    if (schema.additionalProperties === false)
      return [{ path: inner(name), message: `${inner(name)} is unknown` }];
    return validate(api, schema.additionalProperties ?? true, value[name], inner(name), depth + 1);
  });
}
