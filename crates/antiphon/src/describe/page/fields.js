// Form fields for scalar values and JSON text.
//
// A field is `{ element, read(errors), set(value) }`. `read` returns the value and adds its problems to
// `errors`.

import { h, setChildren, uniqueId } from "./dom.js";
import { ExactNumber, isEqual, isObject, parse, stringify } from "./json.js";
import { renderInline } from "./markdown.js";
import { asText, refName } from "./openrpc.js";
import { constraints, typeLine } from "./schema_view.js";
import { typesOf, validate } from "./validate.js";
import { segmentedControl } from "./widgets.js";

// Levels of an initial value. A schema may contain itself.
const MAX_DEPTH = 6;

/** A choice among constants: `[{ value, doc }]`. */
export function selectField(choices, label) {
  const control = h(
    "select",
    { "aria-label": label },
    choices.map(({ value }, at) => h("option", { value: at }, displayText(value))),
  );
  const doc = h("p.hint");
  const show = () => setChildren(doc, renderInline(choices[control.value]?.doc ?? ""));
  control.addEventListener("change", show);
  show();
  return {
    element: h("div", control, doc),
    read: () => choices[control.value].value,
    set(value) {
      const at = choices.findIndex((one) => isEqual(one.value, value));
      control.value = Math.max(at, 0);
      show();
    },
  };
}

export function booleanField(label) {
  const choices = segmentedControl(label, [
    ["false", "false"],
    ["true", "true"],
  ]);
  return {
    element: choices.element,
    read: () => choices.value === "true",
    set: (value) => (choices.value = String(value === true)),
  };
}

export function nullField() {
  return { element: h("code.dim", "null"), read: () => null, set() {} };
}

/** A text in an input that grows, or a number that keeps its digits as typed. */
export function textField(api, schema, label, isNumeric) {
  const control = isNumeric
    ? h("input", {
        type: "text",
        inputmode: "decimal",
        autocomplete: "off",
        spellcheck: "false",
        "aria-label": label,
      })
    : h("textarea.line", { rows: 1, autocomplete: "off", spellcheck: "false", "aria-label": label });
  const problem = problemText(control);
  const example = isObject(schema) && Array.isArray(schema.examples) ? schema.examples[0] : undefined;
  if (example !== undefined) control.placeholder = displayText(example);
  return {
    element: h("div", control, problem.element),
    read(errors) {
      const typed = isNumeric ? control.value.trim() : control.value;
      const value = isNumeric ? parseNumber(typed) : typed;
      if (value === undefined) problem.report(errors, typed ? "must be a number" : "must be given");
      else problem.report(errors, validate(api, schema, value)[0]?.message);
      return value ?? 0;
    },
    set(value) {
      control.value = typeof value === "string" && !isNumeric ? value : stringify(value);
      problem.clear();
    },
  };
}

function parseNumber(text) {
  try {
    const value = parse(text);
    return typeof value === "number" || value instanceof ExactNumber ? value : undefined;
  } catch {
    return undefined;
  }
}

/** JSON text, for schemas that no other field can show. Each variant has a button with an initial value. */
export function jsonField(api, schema, label) {
  const control = h("textarea.raw", {
    rows: 3,
    spellcheck: "false",
    autocomplete: "off",
    "aria-label": `${label} as JSON`,
    placeholder: "JSON",
  });
  const problem = problemText(control);
  const target = api.resolve(schema);
  const variants = isObject(target) ? (target.oneOf ?? target.anyOf) : null;
  const set = (value) => {
    control.value = stringify(value, 40);
    problem.clear();
  };
  const startWith = (variant) => {
    set(initialValue(api, variant));
    control.dispatchEvent(new Event("input", { bubbles: true }));
    control.focus();
  };
  const startButtons =
    Array.isArray(variants) && variants.length
      ? h(
          "div.starts",
          h("span.hint", "Begin with "),
          variants
            .slice(0, 12)
            .map((one, at) =>
              h(
                "button.quiet.small",
                { type: "button", onclick: () => startWith(one) },
                variantName(api, one, at),
              ),
            ),
        )
      : null;
  return {
    element: h("div", control, startButtons, problem.element),
    read(errors) {
      try {
        const value = parse(control.value);
        problem.report(errors, validate(api, schema, value)[0]?.message);
        return value;
      } catch (error) {
        problem.report(errors, control.value.trim() ? error.message : "must be given, as JSON");
        return initialValue(api, schema);
      }
    },
    set,
  };
}

function variantName(api, schema, at) {
  const target = api.resolve(schema);
  if (refName(schema) !== undefined) return refName(schema);
  if (!isObject(target)) return `${at + 1}`;
  if (asText(target.title)) return asText(target.title);
  const members = isObject(target.properties) ? Object.values(target.properties) : [];
  const tag = members.find((one) => isObject(one) && typeof one.const === "string");
  if (tag) return tag.const;
  if (members.length) return Object.keys(target.properties)[0];
  if ("const" in target) return displayText(target.const);
  return typesOf(target)[0] ?? `${at + 1}`;
}

/** A value with all members that a schema requires. */
function initialValue(api, schema, depth = 0) {
  const target = api.resolve(schema);
  if (!isObject(target) || depth > MAX_DEPTH) return null;
  if ("default" in target) return target.default;
  if ("const" in target) return target.const;
  if (Array.isArray(target.enum)) return target.enum[0];
  const variants = target.oneOf ?? target.anyOf;
  if (Array.isArray(variants) && variants.length) return initialValue(api, variants[0], depth + 1);
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
      return fixed.map((item) => initialValue(api, item, depth + 1));
    }
    case "object": {
      const object = Object.create(null);
      for (const name of Array.isArray(target.required) ? target.required : [])
        object[name] = initialValue(
          api,
          isObject(target.properties) ? target.properties[name] : true,
          depth + 1,
        );
      return object;
    }
    default:
      return null;
  }
}

/** A field with a checkbox for null. */
export function nullableField(inner, label) {
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

/** The header of a named field: name, type and constraints. `box` is the checkbox of an optional field. */
export function fieldHeader(api, name, schema, state, box) {
  const all = constraints(schema);
  const title = h("code.name", name);
  return h(
    "div.caption",
    box ? h("label.give", box, title) : title,
    typeLine(api, schema),
    all.length > 0 && h("span.limits", all.join(", ")),
    state,
  );
}

/**
 * The error message below a control. While the user types, `errors.quiet` is set: then messages are
 * removed but not added.
 */
export function problemText(control) {
  const id = uniqueId("wrong");
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

/** A constant as text. Strings have no quotes unless they are empty or begin or end with a space. */
export function displayText(value) {
  return typeof value === "string" && value.trim() === value && value !== "" ? value : stringify(value);
}
