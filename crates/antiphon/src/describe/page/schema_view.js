// Schema views: the type in one line, and a tree of details that opens on demand.

import { h } from "./dom.js";
import { isObject, stringify } from "./json.js";
import { renderInline } from "./markdown.js";
import { asText, refName } from "./openrpc.js";
import { schemaHash } from "./route.js";
import { typesOf } from "./validate.js";

// Levels of a schema that the type line shows.
const MAX_LINE_DEPTH = 3;

// Variants or values that the type line names.
const MAX_NAMED = 6;

/** The type of a schema in one line, with links, such as `array of Book or null`. */
export function typeLine(api, schema, depth = 0) {
  const name = refName(schema);
  if (name !== undefined) return h("a.type", { href: schemaHash(name) }, name);
  return h("span.type", typeParts(api, schema, depth));
}

function typeParts(api, schema, depth) {
  if (!isObject(schema)) return schema === false ? "nothing" : "anything";
  if (depth > MAX_LINE_DEPTH) return "…";
  if ("const" in schema) return stringify(schema.const);
  if (Array.isArray(schema.enum)) return joinWithOr(schema.enum.map((value) => stringify(value)));
  const variants = schema.oneOf ?? schema.anyOf;
  if (Array.isArray(variants)) return joinWithOr(variants.map((one) => typeLine(api, one, depth + 1)));
  const types = typesOf(schema);
  if (!types.length) return isObject(schema.properties) ? "object" : "anything";
  return joinWithOr(types.map((type) => namedType(api, schema, type, depth)));
}

function joinWithOr(parts) {
  const shown = parts.slice(0, MAX_NAMED);
  if (shown.length < parts.length) shown.push(`${parts.length - MAX_NAMED} more`);
  return shown.flatMap((part, at) => (at ? [h("span.or", " or "), part] : [part]));
}

function namedType(api, schema, type, depth) {
  if (type === "array") {
    if (Array.isArray(schema.items ?? schema.prefixItems)) {
      const items = schema.prefixItems ?? schema.items;
      return [
        "(",
        items.slice(0, MAX_NAMED).map((item, at) => [at ? ", " : "", typeLine(api, item, depth + 1)]),
        items.length > MAX_NAMED && ", …",
        ")",
      ];
    }
    return ["array of ", typeLine(api, schema.items ?? true, depth + 1)];
  }
  if (type === "object" && !isObject(schema.properties) && isObject(schema.additionalProperties))
    return ["map of ", typeLine(api, schema.additionalProperties, depth + 1)];
  const format = asText(schema.format);
  return format && (type === "number" || type === "integer" || type === "string")
    ? [type, h("span.format", ` ${format}`)]
    : type;
}

/** The constraints of a schema beyond its type, as short texts. */
export function constraints(schema) {
  if (!isObject(schema)) return [];
  const out = [];
  const add = (key, say) => {
    if (schema[key] !== undefined && schema[key] !== null) out.push(say(stringify(schema[key])));
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
  if ("default" in schema) out.push(`default ${stringify(schema.default)}`);
  return out;
}

/** Whether a schema has details that the type line does not show. */
export function hasParts(api, schema) {
  if (refName(schema) !== undefined) return true;
  if (!isObject(schema)) return false;
  if (isObject(schema.properties)) return true;
  const inner = [
    schema.items,
    schema.additionalProperties,
    ...asArray(schema.oneOf),
    ...asArray(schema.anyOf),
    ...asArray(schema.prefixItems),
  ];
  return (
    inner.flat().some((one) => isObject(one) && hasParts(api, one)) ||
    asArray(schema.oneOf).some((one) => asText(one?.description))
  );
}

function asArray(value) {
  return Array.isArray(value) ? value : [];
}

/** The details of a schema, collapsed. They are built when opened, because references may form a circle. */
export function schemaDetails(api, schema, label = "Schema", open = false) {
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

/** Members, items and variants of a schema. */
export function schemaParts(api, schema) {
  const name = refName(schema);
  const target = api.resolve(schema);
  if (!isObject(target)) return h("p.dim", "Anything.");
  const out = h("div");
  if (name !== undefined && asText(target.description))
    out.append(h("p.dim", renderInline(asText(target.description))));
  if (isObject(target.properties)) out.append(membersView(api, target));
  const variants = [...asArray(target.oneOf), ...asArray(target.anyOf)];
  if (variants.length)
    out.append(
      h(
        "ul.variants",
        variants.map((one) => h("li", subschemaView(api, one))),
      ),
    );
  for (const items of [target.items, target.prefixItems].flat()) {
    // The items of an opened array are open, too.
    if (items !== undefined && items !== true)
      out.append(h("div", h("span.dim", "items "), subschemaView(api, items, true)));
  }
  if (isObject(target.additionalProperties))
    out.append(h("div", h("span.dim", "other members "), subschemaView(api, target.additionalProperties)));
  for (const part of asArray(target.allOf)) out.append(subschemaView(api, part));
  if (!out.childElementCount) out.append(typeLine(api, target), constraintsView(target) ?? "");
  return out;
}

function membersView(api, schema) {
  const required = asArray(schema.required);
  return h(
    "dl.members",
    Object.keys(schema.properties).map((key) => {
      const inner = schema.properties[key];
      const isRequired = required.includes(key);
      return [
        h("dt", h("code", key), !isRequired && h("span.dim", " optional")),
        h("dd", subschemaView(api, inner)),
      ];
    }),
  );
}

function subschemaView(api, schema, isOpen = false) {
  const doc = isObject(schema) ? asText(schema.description) : "";
  return h(
    "div.entry",
    typeLine(api, schema),
    constraintsView(schema),
    doc && h("p.dim", renderInline(doc)),
    schemaDetails(api, schema, refName(schema) !== undefined ? refName(schema) : "Parts", isOpen),
  );
}

export function constraintsView(schema) {
  const all = constraints(schema);
  return all.length ? h("span.limits", ` ${all.join(", ")}`) : null;
}
