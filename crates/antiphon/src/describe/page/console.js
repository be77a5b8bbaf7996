// The panel in which a method is tried: its form, how it is sent, the code for it and what came back.

import { announce, copyButton, fill, h, segmented, tabs } from "./dom.js";
import { failureView, replyView } from "./answer.js";
import { addToBatch } from "./batch.js";
import { named } from "./compound.js";
import { json } from "./fields.js";
import { codeView } from "./highlight.js";
import { record } from "./history.js";
import { isObject } from "./json.js";
import { live } from "./live.js";
import { post, request } from "./rpc.js";
import { LANGUAGES, snippet } from "./snippets.js";

// The language somebody prefers stays chosen from method to method.
let language = LANGUAGES[0][0];

/** The panel of a method: `{ element, restore(call), stop() }`. */
export function panel(api, method) {
  const form = parameters(api, method);
  const kind = segmented(
    "Send as",
    [
      ["call", "Call"],
      ["notification", "Notification"],
    ],
    () => changed(),
  );
  const order = segmented(
    "Parameters",
    [
      ["name", "By name"],
      ["position", "By position"],
    ],
    () => changed(),
  );
  const send = h(
    "button.primary",
    { type: "submit", "aria-keyshortcuts": "Control+Enter" },
    method.stream ? "Subscribe" : "Send",
    h("kbd", { "aria-hidden": "true" }, "Ctrl ↵"),
  );
  const batch = h("button", { type: "button", onclick: () => add() }, "Add to batch");
  const cancel = h("button", { type: "button", hidden: true }, "Cancel");
  const trouble = h("p.wrong", { role: "alert", hidden: true });
  const answers = h("section.answers", { "aria-label": "Answer" });
  const code = snippets();
  const hasChoice = method.params.length > 0 && method.structure === "either";

  const element = h(
    "form.console",
    { "aria-label": `Try ${method.name}`, novalidate: true, autocomplete: "off" },
    h("h2", "Try it"),
    form.element,
    h("div.options", !method.stream && kind.element, hasChoice && order.element),
    trouble,
    h("div.actions", send, cancel, !method.stream && batch),
    answers,
    code.element,
  );
  if (method.structure === "by-position") order.value = "position";

  /** The call as the form has it. */
  function read(errors) {
    const params = form.read(errors);
    const call = { method, isNotification: !method.stream && kind.value === "notification", params };
    if (order.value === "position" && isObject(params)) call.params = positions(method, params, errors);
    if (!Object.keys(call.params ?? {}).length) call.params = undefined;
    return call;
  }

  /** The same, or null if something is wrong, which is shown. */
  function checked() {
    const errors = [];
    const call = read(errors);
    const [first] = errors;
    const count = errors.length === 1 ? "one field is" : `${errors.length} fields are`;
    trouble.hidden = !first;
    trouble.textContent = first?.control ? `Not sent: ${count} not right.` : (first?.message ?? "");
    first?.control?.focus();
    return first ? null : call;
  }

  function changed() {
    trouble.hidden = true;
    code.show(read(Object.assign([], { quiet: true })));
  }

  function add() {
    const call = checked();
    if (call) addToBatch(call);
  }

  async function run() {
    const call = checked();
    if (!call) return;
    if (method.stream) subscribe(call);
    else await once(call);
  }

  async function once(call) {
    const controller = new AbortController();
    const stop = () => controller.abort();
    cancel.addEventListener("click", stop, { once: true });
    send.disabled = true;
    // What is there in a moment needs no button.
    const slow = setTimeout(() => (cancel.hidden = false), 300);
    element.classList.add("busy");
    const entry = { ...call, byPosition: order.value === "position" };
    try {
      const reply = await post(request(method.name, call.params, call.isNotification), controller.signal);
      const view = replyView(reply, method, call.isNotification);
      fill(answers, view.element);
      announce(view.outcome);
      record({ ...entry, outcome: view.outcome, time: reply.time });
    } catch (error) {
      const view = failureView(error);
      fill(answers, view.element);
      announce(view.outcome);
      record({ ...entry, outcome: view.outcome });
    } finally {
      clearTimeout(slow);
      cancel.removeEventListener("click", stop);
      cancel.hidden = true;
      send.disabled = false;
      element.classList.remove("busy");
    }
  }

  let subscription = null;
  function subscribe(call) {
    subscription?.stop();
    subscription = live(method, call.params);
    fill(answers, subscription.element);
    record({ ...call, byPosition: order.value === "position", outcome: "Subscribed" });
  }

  element.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!send.disabled) run();
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      if (!send.disabled) run();
    } else if (event.target.matches("textarea.line") && !event.shiftKey) {
      // A line of text is sent by Enter like any other; Shift goes to the next line.
      event.preventDefault();
      if (!send.disabled) run();
    }
  });
  element.addEventListener("input", changed);
  element.addEventListener("change", changed);
  changed();

  return {
    element,
    restore(call) {
      kind.value = call.isNotification ? "notification" : "call";
      order.value = call.byPosition ? "position" : "name";
      form.set(call.params);
      changed();
    },
    stop: () => subscription?.stop(),
  };
}

/** Values by name as a list. Nothing may be left out before what is given. */
function positions(method, params, errors) {
  const names = method.params.map((param) => param.name);
  const given = names.filter((name) => Object.hasOwn(params, name));
  const gap = names.slice(0, given.length).find((name) => !Object.hasOwn(params, name));
  if (gap !== undefined)
    errors.push({ message: `By position, “${gap}” cannot be left out: something after it is given.` });
  else if (given.length < Object.keys(params).length)
    errors.push({ message: "Further parameters can be given by name only." });
  return given.map((name) => params[name]);
}

/** The parameters as fields, or as one JSON text. */
function parameters(api, method) {
  if (!method.params.length && method.rest === undefined) {
    return { element: h("p.dim", "It takes no parameters."), read: () => undefined, set() {} };
  }
  const rest = isObject(method.rest) || method.rest === true;
  const fields = named(api, method.params, "");
  const others = rest ? json(api, { type: "object" }, "Further parameters") : null;
  others?.set(Object.create(null));
  const byFields = {
    element: h(
      "div",
      fields.element,
      others && h("div.part", h("div.caption", h("span.dim", "further parameters")), others.element),
    ),
    read: (errors) => Object.assign(Object.create(null), fields.read(errors), others?.read(errors)),
    set(value) {
      fields.set(value);
      const known = method.params.map((param) => param.name);
      const left = isObject(value) ? Object.keys(value).filter((name) => !known.includes(name)) : [];
      const object = Object.create(null);
      for (const name of left) object[name] = value[name];
      others?.set(object);
    },
  };
  // JSON is for those who want to send what does not fit: only its grammar is looked at.
  const text = json(api, true, "Parameters");
  text.element.append(
    h("p.hint", "An object or an array. It is sent as it stands, without a look at the types."),
  );
  const isText = () => mode.value === "json";
  const mode = segmented(
    "Edit as",
    [
      ["form", "Form"],
      ["json", "JSON"],
    ],
    (value) => {
      const errors = Object.assign([], { quiet: true });
      byFields.element.hidden = value === "json";
      text.element.hidden = value !== "json";
      if (value === "json") text.set(byFields.read(errors));
      else byFields.set(byName(method, text.read(errors)));
    },
  );
  text.element.hidden = true;
  return {
    element: h("div.params", h("div.mode", mode.element), byFields.element, text.element),
    read(errors) {
      const value = (isText() ? text : byFields).read(errors);
      if (Array.isArray(value) || isObject(value)) return value;
      if (!errors.length) errors.push({ message: "Parameters are an object or an array." });
      return undefined;
    },
    set(value) {
      if (isText()) text.set(value ?? Object.create(null));
      else byFields.set(byName(method, value));
    },
  };
}

function byName(method, params) {
  if (!Array.isArray(params)) return params;
  const object = Object.create(null);
  method.params.forEach(({ name }, at) => at < params.length && (object[name] = params[at]));
  return object;
}

/** The call in several languages. */
function snippets() {
  let call = null;
  let written = "";
  const body = h("div.snippet");
  const show = () => {
    if (!call) return;
    written = snippet(language, call);
    fill(body, codeView(written));
  };
  const list = LANGUAGES.map(([name, label]) => ({ name, label, panel: h("div") }));
  const shown = tabs("Call in", list, (name) => {
    language = name;
    list.find((tab) => tab.name === name).panel.append(body);
    show();
  });
  shown.show(language);
  return {
    element: h(
      "section.code-box",
      { "aria-label": "Code" },
      shown.element,
      h(
        "div.corner",
        copyButton(() => written),
      ),
    ),
    show(next) {
      call = next;
      show();
    },
  };
}
