// Schemas as people read them: one line that says what a value is, and a tree that opens on demand.

import { h } from "./dom.js";
import { isObject, write } from "./json.js";
import { spans } from "./markdown.js";
import { refName, text } from "./openrpc.js";
import { schemaHash } from "./route.js";
import { typesOf } from "./validate.js";

// How far the one line looks into a schema.
const LINE_DEPTH = 3;

// How many variants or values are named in it.
const NAMED = 6;

/** A schema in a few words, with links: `Book[] or null`. */
export function typeLine(api, schema, depth = 0) {
  const name = refName(schema);
  if (name !== undefined) return h("a.type", { href: schemaHash(name) }, name);
  return h("span.type", words(api, schema, depth));
}

function words(api, schema, depth) {
  if (!isObject(schema)) return schema === false ? "nothing" : "anything";
  if (depth > LINE_DEPTH) return "…";
  if ("const" in schema) return write(schema.const);
  if (Array.isArray(schema.enum)) return choices(schema.enum.map((value) => write(value)));
  const variants = schema.oneOf ?? schema.anyOf;
  if (Array.isArray(variants)) return choices(variants.map((one) => typeLine(api, one, depth + 1)));
  const types = typesOf(schema);
  if (!types.length) return isObject(schema.properties) ? "object" : "anything";
  return choices(types.map((type) => named(api, schema, type, depth)));
}

function choices(parts) {
  const shown = parts.slice(0, NAMED);
  if (shown.length < parts.length) shown.push(`${parts.length - NAMED} more`);
  return shown.flatMap((part, at) => (at ? [h("span.or", " or "), part] : [part]));
}

function named(api, schema, type, depth) {
  if (type === "array") {
    if (Array.isArray(schema.items ?? schema.prefixItems)) {
      const items = schema.prefixItems ?? schema.items;
      return [
        "(",
        items.slice(0, NAMED).map((item, at) => [at ? ", " : "", typeLine(api, item, depth + 1)]),
        items.length > NAMED && ", …",
        ")",
      ];
    }
    return ["array of ", typeLine(api, schema.items ?? true, depth + 1)];
  }
  if (type === "object" && !isObject(schema.properties) && isObject(schema.additionalProperties))
    return ["map of ", typeLine(api, schema.additionalProperties, depth + 1)];
  const format = text(schema.format);
  return format && (type === "number" || type === "integer" || type === "string")
    ? [type, h("span.format", ` ${format}`)]
    : type;
}

/** What restricts a value beyond its type, as short texts. */
export function limits(schema) {
  if (!isObject(schema)) return [];
  const out = [];
  const add = (key, say) => {
    if (schema[key] !== undefined && schema[key] !== null) out.push(say(write(schema[key])));
  };
  add("minimum", (value) => `≥ ${value}`);
  add("exclusiveMinimum", (value) => `> ${value}`);
  add("maximum", (value) => `≤ ${value}`);
  add("exclusiveMaximum", (value) => `< ${value}`);
  add("multipleOf", (value) => `a multiple of ${value}`);
  add("minLength", (value) => `at least ${value} characters`);
  add("maxLength", (value) => `at most ${value} characters`);
  add("pattern", (value) => `matches ${value}`);
  add("minItems", (value) => `at least ${value} items`);
  add("maxItems", (value) => `at most ${value} items`);
  if ("default" in schema) out.push(`default ${write(schema.default)}`);
  return out;
}

/** Whether there is more to a schema than its line says. */
export function hasParts(api, schema) {
  if (refName(schema) !== undefined) return true;
  if (!isObject(schema)) return false;
  if (isObject(schema.properties)) return true;
  const inner = [
    schema.items,
    schema.additionalProperties,
    ...list(schema.oneOf),
    ...list(schema.anyOf),
    ...list(schema.prefixItems),
  ];
  return (
    inner.flat().some((one) => isObject(one) && hasParts(api, one)) ||
    list(schema.oneOf).some((one) => text(one?.description))
  );
}

function list(value) {
  return Array.isArray(value) ? value : [];
}

/** The parts of a schema, in a fold. References are opened when somebody asks, so none runs in circles. */
export function schemaFold(api, schema, label = "Schema", open = false) {
  if (!hasParts(api, schema)) return null;
  const body = h("div.schema");
  const fold = h("details.fold", h("summary", label), body);
  const build = () => {
    if (fold.open && !body.childElementCount) body.append(schemaParts(api, schema));
  };
  fold.addEventListener("toggle", build);
  fold.open = open;
  build();
  return fold;
}

/** What a schema consists of: members, items or variants. */
export function schemaParts(api, schema) {
  const name = refName(schema);
  const target = api.resolve(schema);
  if (!isObject(target)) return h("p.dim", "Anything.");
  const out = h("div");
  if (name !== undefined && text(target.description)) out.append(h("p.dim", spans(text(target.description))));
  if (isObject(target.properties)) out.append(members(api, target));
  const variants = [...list(target.oneOf), ...list(target.anyOf)];
  if (variants.length)
    out.append(
      h(
        "ul.variants",
        variants.map((one) => h("li", entry(api, one))),
      ),
    );
  for (const items of [target.items, target.prefixItems].flat()) {
    // Who has opened an array wants to see what is in it.
    if (items !== undefined && items !== true)
      out.append(h("div", h("span.dim", "items "), entry(api, items, true)));
  }
  if (isObject(target.additionalProperties))
    out.append(h("div", h("span.dim", "other members "), entry(api, target.additionalProperties)));
  for (const part of list(target.allOf)) out.append(entry(api, part));
  if (!out.childElementCount) out.append(typeLine(api, target), restrictions(target) ?? "");
  return out;
}

function members(api, schema) {
  const required = list(schema.required);
  return h(
    "dl.members",
    Object.keys(schema.properties).map((key) => {
      const inner = schema.properties[key];
      const isRequired = required.includes(key);
      return [h("dt", h("code", key), !isRequired && h("span.dim", " optional")), h("dd", entry(api, inner))];
    }),
  );
}

function entry(api, schema, isOpen = false) {
  const doc = isObject(schema) ? text(schema.description) : "";
  return h(
    "div.entry",
    typeLine(api, schema),
    restrictions(schema),
    doc && h("p.dim", spans(doc)),
    schemaFold(api, schema, refName(schema) !== undefined ? refName(schema) : "Parts", isOpen),
  );
}

export function restrictions(schema) {
  const all = limits(schema);
  return all.length ? h("span.limits", ` ${all.join(", ")}`) : null;
}
