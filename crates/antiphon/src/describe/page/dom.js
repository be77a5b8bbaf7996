// Elements, made one way only: what comes from the server ends up in text nodes and attributes of
// our choice, never in markup.

/**
 * An element: `h("button.small", { type: "button", onclick: f }, "Copy")`.
 *
 * Attributes that are null, undefined or false are left out; `on…` are listeners, functions only.
 */
export function h(spec, ...rest) {
  const [tag, ...classes] = spec.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  return filled(element, rest);
}

/** The same for SVG. */
export function svg(spec, ...rest) {
  const [tag, ...classes] = spec.split(".");
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  if (classes.length) element.setAttribute("class", classes.join(" "));
  return filled(element, rest);
}

function filled(element, rest) {
  const [first] = rest;
  const isAttributes =
    first && typeof first === "object" && !(first instanceof Node) && !Array.isArray(first);
  if (isAttributes) {
    rest = rest.slice(1);
    for (const [name, value] of Object.entries(first)) set(element, name, value);
  }
  element.append(...nodes(rest));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  // As attributes these two are only what a field begins with.
  else if (name === "value" || name === "checked") element[name] = value;
  else element.setAttribute(name, value === true ? "" : String(value));
}

function nodes(list) {
  return list.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Puts new children in the place of the old ones. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

let last = 0;

/** An id for `for` and `aria-…`. No two are the same. */
export function unique(prefix) {
  last += 1;
  return `${prefix}-${last}`;
}

/** Tells those who do not see the page what has just happened. */
export function announce(text) {
  const region = document.getElementById("announcements");
  // The same text twice would be silent the second time.
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

/** A button that copies what `text()` gives at that moment. */
export function copyButton(text, label = "Copy") {
  const button = h("button.quiet.small", { type: "button", "aria-label": `${label} to clipboard` }, label);
  button.addEventListener("click", async () => {
    const done = await copied(text());
    button.textContent = done ? "Copied" : "Not allowed";
    announce(done ? "Copied to clipboard" : "The browser did not allow copying");
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text);
  }
}

/** Pages on plain HTTP and another host than this one have no clipboard, only the old command. */
function copiedBySelection(text) {
  const area = h("textarea.offstage", { value: text });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/**
 * Tabs over panels: `tabs("Code", [{ name, label, panel }])`. Arrow keys move between them.
 * Gives the element and `show(name)`.
 */
export function tabs(label, list, shown = () => {}) {
  const bar = h("div.tabs", { role: "tablist", "aria-label": label });
  const element = h("div.tabbed", bar);
  for (const tab of list) {
    const id = unique("tab");
    tab.button = h("button", { type: "button", role: "tab", id, onclick: () => show(tab.name) }, tab.label);
    tab.panel.setAttribute("role", "tabpanel");
    tab.panel.setAttribute("aria-labelledby", id);
    bar.append(tab.button);
    element.append(tab.panel);
  }
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = list.findIndex((tab) => tab.button === document.activeElement);
    const next = list[(at + step + list.length) % list.length];
    event.preventDefault();
    show(next.name);
    next.button.focus();
  });
  function show(name) {
    for (const tab of list) {
      const isShown = tab.name === name;
      tab.button.setAttribute("aria-selected", isShown);
      tab.button.tabIndex = isShown ? 0 : -1;
      tab.panel.hidden = !isShown;
    }
    shown(name);
  }
  show(list[0].name);
  return { element, show, list };
}

/** A few exclusive choices in one row, as radio buttons. Gives the element and `value`. */
export function segmented(label, choices, changed) {
  const name = unique("choice");
  const inputs = choices.map(([value]) =>
    h("input", { type: "radio", name, "data-value": value, onchange: () => changed?.(value) }),
  );
  inputs[0].checked = true;
  const element = h(
    "div.segmented",
    { role: "radiogroup", "aria-label": label },
    choices.map(([, text], at) => h("label", inputs[at], h("span", text))),
  );
  return {
    element,
    get value() {
      return inputs.find((input) => input.checked).dataset.value;
    },
    set value(value) {
      for (const input of inputs) input.checked = input.dataset.value === value;
    },
  };
}

/** Bytes and seconds as people read them. */
export function bytes(count) {
  if (!(count >= 1024)) return `${count ?? 0} B`;
  const power = Math.min(3, Math.floor(Math.log2(count) / 10));
  return `${(count / 1024 ** power).toPrecision(3)} ${["B", "KiB", "MiB", "GiB"][power]}`;
}

export function seconds(value) {
  if (!Number.isFinite(value)) return "–";
  if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
  if (value < 1) return `${Number((value * 1000).toPrecision(3))} ms`;
  if (value < 60) return `${Number(value.toPrecision(3))} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(value % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
