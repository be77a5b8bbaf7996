// Shared widgets: copy button, tabs, segmented control.

import { announce, h, uniqueId } from "./dom.js";

/** A button that copies the current result of `text()`. */
export function copyButton(text, label = "Copy") {
  const button = h("button.quiet.small", { type: "button", "aria-label": `${label} to clipboard` }, label);
  button.addEventListener("click", async () => {
    const done = await copyText(text());
    button.textContent = done ? "Copied" : "Not allowed";
    announce(done ? "Copied to clipboard" : "The browser did not allow copying");
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** The fallback for pages over plain HTTP, which have no clipboard API unless the host is local. */
function copyBySelection(text) {
  const area = h("textarea.offstage", { value: text });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/**
 * Tabs: `tabs("Code", [{ name, label, panel }])` returns `{ element, show(name), list }`. Arrow keys move
 * between them.
 */
export function tabs(label, list, shown = () => {}) {
  const bar = h("div.tabs", { role: "tablist", "aria-label": label });
  const element = h("div.tabbed", bar);
  for (const tab of list) {
    const id = uniqueId("tab");
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

/** Radio buttons in one row: `{ element, value }`. */
export function segmentedControl(label, choices, changed) {
  const name = uniqueId("choice");
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
