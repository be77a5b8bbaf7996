// Element builders. Text from the server becomes text nodes and attribute values, never markup, so that it
// cannot inject anything.

/**
 * Creates an element: `h("button.small", { type: "button", onclick: f }, "Copy")`.
 *
 * Attributes that are null, undefined or false are left out. `on…` attributes are listener functions.
 */
export function h(spec, ...rest) {
  const [tag, ...classes] = spec.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  return build(element, rest);
}

/** Creates an SVG element in the same way. */
export function svg(spec, ...rest) {
  const [tag, ...classes] = spec.split(".");
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  if (classes.length) element.setAttribute("class", classes.join(" "));
  return build(element, rest);
}

function build(element, rest) {
  const [first] = rest;
  const isAttributes =
    first && typeof first === "object" && !(first instanceof Node) && !Array.isArray(first);
  if (isAttributes) {
    rest = rest.slice(1);
    for (const [name, value] of Object.entries(first)) setAttribute(element, name, value);
  }
  element.append(...childNodes(rest));
  return element;
}

function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  // The attributes of these names set only the initial state.
  else if (name === "value" || name === "checked") element[name] = value;
  else element.setAttribute(name, value === true ? "" : String(value));
}

function childNodes(list) {
  return list.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Replaces all children of an element. */
export function setChildren(element, ...children) {
  element.replaceChildren(...childNodes(children));
  return element;
}

let lastId = 0;

/** A unique id for `for` and `aria-…` attributes. */
export function uniqueId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

/** Announces a text to screen readers. */
export function announce(text) {
  const region = document.getElementById("announcements");
  // Screen readers skip a text that has not changed.
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}
