// Form fields by schema: parameters, arrays, tuples, objects and maps.

import { h } from "./dom.js";
import {
  booleanField,
  fieldHeader,
  jsonField,
  nullableField,
  nullField,
  problemText,
  selectField,
  textField,
} from "./fields.js";
import { isObject } from "./json.js";
import { renderInline } from "./markdown.js";
import { asText, refName } from "./openrpc.js";
import { typesOf, validate } from "./validate.js";

// Deeper levels are edited as JSON, because a schema may contain itself.
const MAX_DEPTH = 6;

// Rows that are created for a given value. The rest of the value is dropped.
const MAX_ROWS = 200;

// Schemas of the fields that are being built, the outermost first.
const ancestors = [];

/** Fields for the parameters of a method. `read` returns an object of the parameters that are given. */
export function paramFields(api, params) {
  return namedFields(api, params, "", -1);
}

/** The field for a schema. `label` is its accessible name. */
function field(api, schema, label, depth) {
  const target = api.resolve(schema);
  // A schema that requires itself would never end.
  if (isObject(target) && ancestors.includes(target)) return jsonField(api, schema, label);
  ancestors.push(target);
  try {
    return fieldFor(api, schema, label, depth);
  } finally {
    ancestors.pop();
  }
}

function fieldFor(api, schema, label, depth) {
  const inner = withoutNull(api, schema);
  if (inner !== undefined) return nullableField(field(api, inner, label, depth), label);
  const target = api.resolve(schema);
  const choices = enumValues(api, target);
  if (choices) return selectField(choices, label);
  const types = typesOf(target);
  if (depth > MAX_DEPTH || types.length !== 1 || target.oneOf || target.anyOf || target.allOf)
    return jsonField(api, schema, label);
  switch (types[0]) {
    case "boolean":
      return booleanField(label);
    case "string":
      return textField(api, target, label, false);
    case "number":
    case "integer":
      return textField(api, target, label, true);
    case "array":
    case "object":
      return containerField(api, target, label, depth) ?? jsonField(api, schema, label);
    case "null":
      return nullField();
    default:
      return jsonField(api, schema, label);
  }
}

/** The other schema if a schema allows null and exactly one other type. */
function withoutNull(api, schema) {
  const target = api.resolve(schema);
  if (!isObject(target)) return undefined;
  const types = typesOf(target);
  if (types.length === 2 && types.includes("null") && !target.enum) {
    return Object.assign(Object.create(null), target, { type: types.find((type) => type !== "null") });
  }
  const variants = target.anyOf ?? target.oneOf;
  if (!Array.isArray(variants) || variants.length !== 2) return undefined;
  const isNull = (one) => isObject(one) && one.type === "null";
  const rest = variants.filter((one) => !isNull(one));
  return rest.length === 1 ? rest[0] : undefined;
}

/** `[{ value, doc }]` if a schema is a list of constants, otherwise null. */
function enumValues(api, schema) {
  if (!isObject(schema)) return null;
  if ("const" in schema) return [{ value: schema.const, doc: asText(schema.description) }];
  if (Array.isArray(schema.enum))
    return schema.enum.map((value) => ({
      value,
      doc: schema.enum.length === 1 ? asText(schema.description) : "",
    }));
  const variants = schema.oneOf ?? schema.anyOf;
  if (!Array.isArray(variants) || !variants.length || isObject(schema.properties)) return null;
  const all = variants.map((one) =>
    isObject(one) && !one.oneOf && !one.anyOf && refName(one) === undefined ? enumValues(api, one) : null,
  );
  return all.includes(null) ? null : all.flat();
}

/** The field for an array or object schema, or null if the schema does not describe the contents. */
function containerField(api, schema, label, depth) {
  if (schema.type === "array" || schema.type?.[0] === "array") {
    const fixed = Array.isArray(schema.items) ? schema.items : schema.prefixItems;
    if (Array.isArray(fixed)) return tupleField(api, fixed, label, depth);
    return isObject(schema.items) ? arrayField(api, schema, label, depth) : null;
  }
  const hasMembers = isObject(schema.properties) && Object.keys(schema.properties).length > 0;
  const others = schema.additionalProperties;
  if (!hasMembers) return isObject(others) ? mapField(api, schema, label, depth) : null;
  return objectField(api, schema, label, depth);
}

/**
 * Fields with names: the parameters of a method or the members of an object. `read` returns an object
 * of the fields that are given.
 */
function namedFields(api, list, label, depth) {
  const parts = list.map((one) => namedField(api, one, label ? `${label}.${one.name}` : one.name, depth));
  return {
    element: h(
      "div.fields",
      parts.map((one) => one.element),
    ),
    read(errors) {
      const object = Object.create(null);
      for (const one of parts) if (one.isGiven()) object[one.name] = one.field().read(errors);
      return object;
    },
    set(object) {
      for (const one of parts)
        one.set(isObject(object) && Object.hasOwn(object, one.name) ? object[one.name] : undefined);
    },
  };
}

function arrayField(api, schema, label, depth) {
  const list = rowList(label, "item", (at) => field(api, schema.items, `${label} ${at + 1}`, depth + 1));
  const problem = problemText(list.button);
  list.element.append(problem.element);
  return {
    element: list.element,
    read(errors) {
      const values = list.all().map((one) => one.read(errors));
      // Each item is validated by its own field.
      problem.report(errors, validate(api, { ...schema, items: true }, values)[0]?.message);
      return values;
    },
    set(values) {
      list.clear();
      for (const value of (Array.isArray(values) ? values : []).slice(0, MAX_ROWS)) list.add().set(value);
    },
  };
}

function tupleField(api, schemas, label, depth) {
  const parts = schemas.map((schema, at) => field(api, schema, `${label} ${at + 1}`, depth + 1));
  return {
    element: h(
      "div.group",
      parts.map((part, at) => h("div.part", h("div.caption", h("code.name", at + 1)), part.element)),
    ),
    read: (errors) => parts.map((part) => part.read(errors)),
    set: (values) => parts.forEach((part, at) => values?.[at] !== undefined && part.set(values[at])),
  };
}

function mapField(api, schema, label, depth) {
  const entry = (at) => {
    const key = h("textarea.line", {
      rows: 1,
      spellcheck: "false",
      "aria-label": `Name of member ${at + 1} of ${label}`,
      placeholder: "name",
    });
    const value = field(api, schema.additionalProperties, `member ${at + 1} of ${label}`, depth + 1);
    return { element: h("div.pair", key, value.element), key, value };
  };
  const list = rowList(label, "member", entry);
  return {
    element: list.element,
    read(errors) {
      const object = Object.create(null);
      for (const { key, value } of list.all()) {
        if (Object.hasOwn(object, key.value))
          errors.push({ control: key, message: "two members have the same name" });
        object[key.value] = value.read(errors);
      }
      return object;
    },
    set(object) {
      list.clear();
      for (const name of Object.keys(isObject(object) ? object : {}).slice(0, MAX_ROWS)) {
        const row = list.add();
        row.key.value = name;
        row.value.set(object[name]);
      }
    },
  };
}

function objectField(api, schema, label, depth) {
  const required = Array.isArray(schema.required) ? schema.required : [];
  const members = namedFields(
    api,
    Object.keys(schema.properties).map((name) => ({
      name,
      schema: schema.properties[name],
      doc: asText(schema.properties[name]?.description),
      required: required.includes(name),
    })),
    label,
    depth,
  );
  const additional = isObject(schema.additionalProperties)
    ? mapField(api, schema, `others of ${label}`, depth)
    : null;
  return {
    element: h(
      "div.group",
      members.element,
      additional && h("div.caption", h("span.dim", "other members")),
      additional?.element,
    ),
    read: (errors) => Object.assign(Object.create(null), members.read(errors), additional?.read(errors)),
    set(value) {
      members.set(value);
      if (!additional || !isObject(value)) return;
      const others = Object.keys(value).filter((name) => !Object.hasOwn(schema.properties, name));
      additional.set(Object.fromEntries(others.map((name) => [name, value[name]])));
    },
  };
}

/** An optional field is built when it is checked, so that a schema may contain itself. */
function namedField(api, { name, schema, doc, required }, label, depth) {
  let made = null;
  const slot = h("div.slot");
  const getField = () => {
    if (!made) {
      made = field(api, schema, label, depth + 1);
      if (isObject(schema) && "default" in schema) made.set(schema.default);
      slot.append(made.element);
    }
    return made;
  };
  const checkbox = required ? null : h("input", { type: "checkbox", "aria-label": `Give ${label}` });
  const show = () => {
    if (checkbox.checked) getField();
    slot.hidden = !checkbox.checked;
  };
  const state = required ? h("span.must", "required") : h("span.dim", "optional");
  const element = h(
    "div.part",
    fieldHeader(api, name, schema, state, checkbox),
    doc && h("p.hint", renderInline(doc)),
    slot,
  );
  if (checkbox) {
    checkbox.addEventListener("change", () => {
      show();
      if (checkbox.checked) slot.querySelector("input, textarea, select")?.focus();
    });
    show();
  } else getField();
  return {
    name,
    element,
    isGiven: () => required || checkbox.checked,
    field: getField,
    set(value) {
      if (checkbox) {
        checkbox.checked = value !== undefined;
        show();
      }
      if (value !== undefined) getField().set(value);
    },
  };
}

/** A list of rows with buttons to add and remove them. `make(index)` returns a row: `{ element, … }`. */
function rowList(label, noun, make) {
  const list = [];
  const body = h("div.rows");
  const changed = () => body.dispatchEvent(new Event("input", { bubbles: true }));
  const add = () => {
    const row = make(list.length);
    const remove = h(
      "button.quiet.small.remove",
      { type: "button", "aria-label": `Remove ${noun} of ${label}` },
      "×",
    );
    const element = h("div.row", row.element, remove);
    remove.addEventListener("click", () => {
      list.splice(
        list.findIndex((one) => one.row === row),
        1,
      );
      element.remove();
      changed();
      button.focus();
    });
    list.push({ row, element });
    body.append(element);
    return row;
  };
  const button = h(
    "button.quiet.small.add",
    { type: "button", "aria-label": `Add ${noun} to ${label}` },
    `+ ${noun}`,
  );
  button.addEventListener("click", () => {
    const row = add();
    changed();
    row.element.querySelector("input, textarea, select")?.focus();
  });
  return {
    element: h("div.group", body, button),
    button,
    add,
    all: () => list.map((one) => one.row),
    clear() {
      list.length = 0;
      body.replaceChildren();
    },
  };
}
