// Fields with fields in them: arrays, tuples, objects and maps.

import { h } from "./dom.js";
import { isObject } from "./json.js";
import { spans } from "./markdown.js";
import { text } from "./openrpc.js";
import { caption, complaint, field } from "./fields.js";
import { problems } from "./validate.js";

/** The field for an array or object schema; `null` if it says too little for a form. */
export function compound(api, schema, label, depth) {
  if (schema.type === "array" || schema.type?.[0] === "array") {
    const fixed = Array.isArray(schema.items) ? schema.items : schema.prefixItems;
    if (Array.isArray(fixed)) return tuple(api, fixed, label, depth);
    return isObject(schema.items) ? items(api, schema, label, depth) : null;
  }
  const hasMembers = isObject(schema.properties) && Object.keys(schema.properties).length > 0;
  const others = schema.additionalProperties;
  if (!hasMembers) return isObject(others) ? map(api, schema, label, depth) : null;
  return object(api, schema, label, depth);
}

/** Adds and removes rows; `make()` gives `{ element, … }`. Gives the rows, and tells of changes. */
function rows(label, noun, make) {
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

// So many rows of a given value are shown as fields; a form is no place for more.
const MAX_ROWS = 200;

function items(api, schema, label, depth) {
  const list = rows(label, "item", (at) => field(api, schema.items, `${label} ${at + 1}`, depth + 1));
  const wrong = complaint(list.button);
  list.element.append(wrong.element);
  return {
    element: list.element,
    read(errors) {
      const values = list.all().map((one) => one.read(errors));
      // The items have been looked at by their own fields.
      wrong.report(errors, problems(api, { ...schema, items: true }, values)[0]?.message);
      return values;
    },
    set(values) {
      list.clear();
      for (const value of (Array.isArray(values) ? values : []).slice(0, MAX_ROWS)) list.add().set(value);
    },
  };
}

function tuple(api, schemas, label, depth) {
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

function map(api, schema, label, depth) {
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
  const list = rows(label, "member", entry);
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

function object(api, schema, label, depth) {
  const required = Array.isArray(schema.required) ? schema.required : [];
  const members = named(
    api,
    Object.keys(schema.properties).map((name) => ({
      name,
      schema: schema.properties[name],
      doc: text(schema.properties[name]?.description),
      required: required.includes(name),
    })),
    label,
    depth,
  );
  const rest = isObject(schema.additionalProperties) ? map(api, schema, `others of ${label}`, depth) : null;
  return {
    element: h(
      "div.group",
      members.element,
      rest && h("div.caption", h("span.dim", "other members")),
      rest?.element,
    ),
    read: (errors) => Object.assign(Object.create(null), members.read(errors), rest?.read(errors)),
    set(value) {
      members.set(value);
      if (!rest || !isObject(value)) return;
      const others = Object.keys(value).filter((name) => !Object.hasOwn(schema.properties, name));
      rest.set(Object.fromEntries(others.map((name) => [name, value[name]])));
    },
  };
}

/**
 * Fields with names, of which some may be left out: the parameters of a method or the members of an
 * object. `read` gives an object of those that are given.
 */
export function named(api, list, label, depth = -1) {
  const parts = list.map((one) => part(api, one, label ? `${label}.${one.name}` : one.name, depth + 1));
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

/** A field that may be left out is made when it is wanted, so that a type may contain itself. */
function part(api, { name, schema, doc, required }, label, depth) {
  let made = null;
  const slot = h("div.slot");
  const make = () => {
    if (!made) {
      made = field(api, schema, label, depth);
      if (isObject(schema) && "default" in schema) made.set(schema.default);
      slot.append(made.element);
    }
    return made;
  };
  const box = required ? null : h("input", { type: "checkbox", "aria-label": `Give ${label}` });
  const show = () => {
    if (box.checked) make();
    slot.hidden = !box.checked;
  };
  const state = required ? h("span.must", "required") : h("span.dim", "optional");
  const element = h("div.part", caption(api, name, schema, state, box), doc && h("p.hint", spans(doc)), slot);
  if (box) {
    box.addEventListener("change", () => {
      show();
      if (box.checked) slot.querySelector("input, textarea, select")?.focus();
    });
    show();
  } else make();
  return {
    name,
    element,
    isGiven: () => required || box.checked,
    field: make,
    set(value) {
      if (box) {
        box.checked = value !== undefined;
        show();
      }
      if (value !== undefined) make().set(value);
    },
  };
}
