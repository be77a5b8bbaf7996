// Fields of a form, one for each kind of schema. A field has `element`, `read(errors)`, which gives a
// value or tells what is wrong, and `set(value)`.

import { fill, h, segmented, unique } from "./dom.js";
import { Exact, isObject, parse, same, write } from "./json.js";
import { spans } from "./markdown.js";
import { refName, text } from "./openrpc.js";
import { compound } from "./compound.js";
import { limits, typeLine } from "./schema.js";
import { problems, typesOf } from "./validate.js";

// Deeper schemas are edited as JSON: they may go round in circles.
const MAX_DEPTH = 6;

// What is being made right now, from the outside in.
const making = [];

/** The field for a schema. `label` names it to those who hear the page. */
export function field(api, schema, label, depth = 0) {
  const target = api.resolve(schema);
  // A type that must contain itself has no end as a form.
  if (isObject(target) && making.includes(target)) return json(api, schema, label);
  making.push(target);
  try {
    return make(api, schema, label, depth);
  } finally {
    making.pop();
  }
}

function make(api, schema, label, depth) {
  const inner = nullable(api, schema);
  if (inner !== undefined) return orNull(field(api, inner, label, depth), label);
  const target = api.resolve(schema);
  const choices = constants(api, target);
  if (choices) return choice(choices, label);
  const types = typesOf(target);
  if (depth > MAX_DEPTH || types.length !== 1 || target.oneOf || target.anyOf || target.allOf)
    return json(api, schema, label);
  switch (types[0]) {
    case "boolean":
      return flag(label);
    case "string":
      return line(api, target, label, false);
    case "number":
    case "integer":
      return line(api, target, label, true);
    case "array":
    case "object":
      return compound(api, target, label, depth) ?? json(api, schema, label);
    case "null":
      return nothing();
    default:
      return json(api, schema, label);
  }
}

/** The schema without null, if null is one of two things that it allows. */
function nullable(api, schema) {
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

/** `[{ value, doc }]` if a schema is nothing but a list of constants. */
function constants(api, schema) {
  if (!isObject(schema)) return null;
  if ("const" in schema) return [{ value: schema.const, doc: text(schema.description) }];
  if (Array.isArray(schema.enum))
    return schema.enum.map((value) => ({
      value,
      doc: schema.enum.length === 1 ? text(schema.description) : "",
    }));
  const variants = schema.oneOf ?? schema.anyOf;
  if (!Array.isArray(variants) || !variants.length || isObject(schema.properties)) return null;
  const all = variants.map((one) =>
    isObject(one) && !one.oneOf && !one.anyOf && refName(one) === undefined ? constants(api, one) : null,
  );
  return all.includes(null) ? null : all.flat();
}

/**
 * Where a field says what is wrong with it; `control` is what the message belongs to. A quiet look,
 * `errors.quiet`, takes complaints back but makes none: nobody has sent anything yet.
 */
export function complaint(control) {
  const id = unique("wrong");
  const element = h("p.wrong", { id, hidden: true });
  const show = (message) => {
    element.textContent = message;
    element.hidden = !message;
    if (message) {
      control.setAttribute("aria-invalid", "true");
      control.setAttribute("aria-describedby", id);
    } else {
      control.removeAttribute("aria-invalid");
      control.removeAttribute("aria-describedby");
    }
  };
  return {
    element,
    clear: () => show(""),
    report(errors, message = "") {
      if (message) errors.push({ control, message });
      if (!message || !errors.quiet) show(message);
    },
  };
}

function choice(choices, label) {
  const control = h(
    "select",
    { "aria-label": label },
    choices.map(({ value }, at) => h("option", { value: at }, shown(value))),
  );
  const doc = h("p.hint");
  const show = () => fill(doc, spans(choices[control.value]?.doc ?? ""));
  control.addEventListener("change", show);
  show();
  return {
    element: h("div", control, doc),
    read: () => choices[control.value].value,
    set(value) {
      const at = choices.findIndex((one) => same(one.value, value));
      control.value = Math.max(at, 0);
      show();
    },
  };
}

function shown(value) {
  return typeof value === "string" && value.trim() === value && value !== "" ? value : write(value);
}

function flag(label) {
  const choices = segmented(label, [
    ["false", "false"],
    ["true", "true"],
  ]);
  return {
    element: choices.element,
    read: () => choices.value === "true",
    set: (value) => (choices.value = String(value === true)),
  };
}

function nothing() {
  return { element: h("code.dim", "null"), read: () => null, set() {} };
}

/** A line of text, which grows, or a number as it is written. */
function line(api, schema, label, isNumeric) {
  const control = isNumeric
    ? h("input", {
        type: "text",
        inputmode: "decimal",
        autocomplete: "off",
        spellcheck: "false",
        "aria-label": label,
      })
    : h("textarea.line", { rows: 1, autocomplete: "off", spellcheck: "false", "aria-label": label });
  const wrong = complaint(control);
  const example = isObject(schema) && Array.isArray(schema.examples) ? schema.examples[0] : undefined;
  if (example !== undefined) control.placeholder = shown(example);
  return {
    element: h("div", control, wrong.element),
    read(errors) {
      const typed = isNumeric ? control.value.trim() : control.value;
      const value = isNumeric ? number(typed) : typed;
      if (value === undefined) wrong.report(errors, typed ? "must be a number" : "must be given");
      else wrong.report(errors, problems(api, schema, value)[0]?.message);
      return value ?? 0;
    },
    set(value) {
      control.value = typeof value === "string" && !isNumeric ? value : write(value);
      wrong.clear();
    },
  };
}

function number(text) {
  try {
    const value = parse(text);
    return typeof value === "number" || value instanceof Exact ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Any JSON, for what no form fits. Variants offer something to begin with. */
export function json(api, schema, label) {
  const control = h("textarea.raw", {
    rows: 3,
    spellcheck: "false",
    autocomplete: "off",
    "aria-label": `${label} as JSON`,
    placeholder: "JSON",
  });
  const wrong = complaint(control);
  const target = api.resolve(schema);
  const variants = isObject(target) ? (target.oneOf ?? target.anyOf) : null;
  const set = (value) => {
    control.value = write(value, 40);
    wrong.clear();
  };
  const begin = (variant) => {
    set(skeleton(api, variant));
    control.dispatchEvent(new Event("input", { bubbles: true }));
    control.focus();
  };
  const starts =
    Array.isArray(variants) && variants.length
      ? h(
          "div.starts",
          h("span.hint", "Begin with "),
          variants
            .slice(0, 12)
            .map((one, at) =>
              h(
                "button.quiet.small",
                { type: "button", onclick: () => begin(one) },
                variantName(api, one, at),
              ),
            ),
        )
      : null;
  return {
    element: h("div", control, starts, wrong.element),
    read(errors) {
      try {
        const value = parse(control.value);
        wrong.report(errors, problems(api, schema, value)[0]?.message);
        return value;
      } catch (error) {
        wrong.report(errors, control.value.trim() ? error.message : "must be given, as JSON");
        return skeleton(api, schema);
      }
    },
    set,
  };
}

function variantName(api, schema, at) {
  const target = api.resolve(schema);
  if (refName(schema) !== undefined) return refName(schema);
  if (!isObject(target)) return `${at + 1}`;
  if (text(target.title)) return text(target.title);
  const members = isObject(target.properties) ? Object.values(target.properties) : [];
  const tag = members.find((one) => isObject(one) && typeof one.const === "string");
  if (tag) return tag.const;
  if (members.length) return Object.keys(target.properties)[0];
  if ("const" in target) return shown(target.const);
  return typesOf(target)[0] ?? `${at + 1}`;
}

/** A value with all that a schema requires, to begin with. */
function skeleton(api, schema, depth = 0) {
  const target = api.resolve(schema);
  if (!isObject(target) || depth > MAX_DEPTH) return null;
  if ("default" in target) return target.default;
  if ("const" in target) return target.const;
  if (Array.isArray(target.enum)) return target.enum[0];
  const variants = target.oneOf ?? target.anyOf;
  if (Array.isArray(variants) && variants.length) return skeleton(api, variants[0], depth + 1);
  switch (typesOf(target)[0]) {
    case "string":
      return "";
    case "number":
    case "integer":
      return typeof target.minimum === "number" ? target.minimum : 0;
    case "boolean":
      return false;
    case "array": {
      const fixed = Array.isArray(target.items) ? target.items : (target.prefixItems ?? []);
      return fixed.map((item) => skeleton(api, item, depth + 1));
    }
    case "object": {
      const object = Object.create(null);
      for (const name of Array.isArray(target.required) ? target.required : [])
        object[name] = skeleton(api, isObject(target.properties) ? target.properties[name] : true, depth + 1);
      return object;
    }
    default:
      return null;
  }
}

/** A field that may be null instead. */
function orNull(inner, label) {
  const box = h("input", { type: "checkbox", "aria-label": `${label} is null` });
  const show = () => (inner.element.hidden = box.checked);
  box.addEventListener("change", show);
  return {
    element: h("div.nullable", inner.element, h("label.null", box, h("code", "null"))),
    read: (errors) => (box.checked ? null : inner.read(errors)),
    set(value) {
      box.checked = value === null;
      show();
      if (value !== null) inner.set(value);
    },
  };
}

/** The head of a named field: its name, type and what restricts it. `box` says whether it is given. */
export function caption(api, name, schema, state, box) {
  const all = limits(schema);
  const title = h("code.name", name);
  return h(
    "div.caption",
    box ? h("label.give", box, title) : title,
    typeLine(api, schema),
    all.length > 0 && h("span.limits", all.join(", ")),
    state,
  );
}
