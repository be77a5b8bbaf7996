// Form that calls a method: parameters, options, code snippets and the response.

import { addToBatch } from "./batch.js";
import { announce, h, setChildren } from "./dom.js";
import { jsonField } from "./fields.js";
import { paramFields } from "./form.js";
import { recordCall } from "./history.js";
import { isObject } from "./json.js";
import { responseView, transportErrorView } from "./response.js";
import { encodeRequest, post } from "./rpc.js";
import { snippetTabs } from "./snippet_view.js";
import { subscriptionView } from "./subscription_view.js";
import { segmentedControl } from "./widgets.js";

/** The call form of a method: `{ element, restore(call), stop() }`. */
export function callForm(api, method) {
  const paramsInput = paramsForm(api, method);
  const kind = segmentedControl(
    "Send as",
    [
      ["call", "Call"],
      ["notification", "Notification"],
    ],
    () => update(),
  );
  const passing = segmentedControl(
    "Parameters",
    [
      ["name", "By name"],
      ["position", "By position"],
    ],
    () => update(),
  );
  const sendButton = h(
    "button.primary",
    { type: "submit", "aria-keyshortcuts": "Control+Enter" },
    method.stream ? "Subscribe" : "Send",
    h("kbd", { "aria-hidden": "true" }, "Ctrl ↵"),
  );
  const batchButton = h("button", { type: "button", onclick: () => addCall() }, "Add to batch");
  const cancelButton = h("button", { type: "button", hidden: true }, "Cancel");
  const problemText = h("p.wrong", { role: "alert", hidden: true });
  const answers = h("section.answers", { "aria-label": "Answer" });
  const code = snippetTabs();
  const hasChoice = method.params.length > 0 && method.structure === "either";

  const element = h(
    "form.console",
    { "aria-label": `Try ${method.name}`, novalidate: true, autocomplete: "off" },
    h("h2", "Try it"),
    paramsInput.element,
    h("div.options", !method.stream && kind.element, hasChoice && passing.element),
    problemText,
    h("div.actions", sendButton, cancelButton, !method.stream && batchButton),
    answers,
    code.element,
  );
  if (method.structure === "by-position") passing.value = "position";

  /** The call that the form describes. Problems are added to `errors`. */
  function read(errors) {
    const params = paramsInput.read(errors);
    const call = { method, isNotification: !method.stream && kind.value === "notification", params };
    if (passing.value === "position" && isObject(params)) call.params = toPositional(method, params, errors);
    if (!Object.keys(call.params ?? {}).length) call.params = undefined;
    return call;
  }

  /** The same, or null after showing the problems if there are any. */
  function readValid() {
    const errors = [];
    const call = read(errors);
    const [first] = errors;
    const count = errors.length === 1 ? "one field is" : `${errors.length} fields are`;
    problemText.hidden = !first;
    problemText.textContent = first?.control ? `Not sent: ${count} not right.` : (first?.message ?? "");
    first?.control?.focus();
    return first ? null : call;
  }

  function update() {
    problemText.hidden = true;
    code.show(read(Object.assign([], { quiet: true })));
  }

  function addCall() {
    const call = readValid();
    if (call) addToBatch(call);
  }

  async function submit() {
    const call = readValid();
    if (!call) return;
    if (method.stream) subscribe(call);
    else await sendOnce(call);
  }

  async function sendOnce(call) {
    const controller = new AbortController();
    const stop = () => controller.abort();
    cancelButton.addEventListener("click", stop, { once: true });
    sendButton.disabled = true;
    // Quick calls are over before anybody could press "Cancel".
    const slow = setTimeout(() => (cancelButton.hidden = false), 300);
    element.classList.add("busy");
    const entry = { ...call, byPosition: passing.value === "position" };
    try {
      const response = await post(
        encodeRequest(method.name, call.params, call.isNotification),
        controller.signal,
      );
      const view = responseView(response, method, call.isNotification);
      setChildren(answers, view.element);
      announce(view.outcome);
      recordCall({ ...entry, outcome: view.outcome, time: response.time });
    } catch (error) {
      const view = transportErrorView(error);
      setChildren(answers, view.element);
      announce(view.outcome);
      recordCall({ ...entry, outcome: view.outcome });
    } finally {
      clearTimeout(slow);
      cancelButton.removeEventListener("click", stop);
      cancelButton.hidden = true;
      sendButton.disabled = false;
      element.classList.remove("busy");
    }
  }

  let subscription = null;
  function subscribe(call) {
    subscription?.stop();
    subscription = subscriptionView(method, call.params);
    setChildren(answers, subscription.element);
    recordCall({ ...call, byPosition: passing.value === "position", outcome: "Subscribed" });
  }

  element.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!sendButton.disabled) submit();
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      if (!sendButton.disabled) submit();
    } else if (event.target.matches("textarea.line") && !event.shiftKey) {
      // Enter submits as in a one-line input; Shift+Enter adds a line.
      event.preventDefault();
      if (!sendButton.disabled) submit();
    }
  });
  element.addEventListener("input", update);
  element.addEventListener("change", update);
  update();

  return {
    element,
    restore(call) {
      kind.value = call.isNotification ? "notification" : "call";
      passing.value = call.byPosition ? "position" : "name";
      paramsInput.set(call.params);
      update();
    },
    stop: () => subscription?.stop(),
  };
}

/** Named values as an array. A parameter can only be left out if all later ones are left out, too. */
function toPositional(method, params, errors) {
  const names = method.params.map((param) => param.name);
  const given = names.filter((name) => Object.hasOwn(params, name));
  const gap = names.slice(0, given.length).find((name) => !Object.hasOwn(params, name));
  if (gap !== undefined)
    errors.push({ message: `By position, “${gap}” cannot be left out: something after it is given.` });
  else if (given.length < Object.keys(params).length)
    errors.push({ message: "Further parameters can be given by name only." });
  return given.map((name) => params[name]);
}

/** The parameters, edited as fields or as one JSON text. */
function paramsForm(api, method) {
  if (!method.params.length && method.rest === undefined) {
    return { element: h("p.dim", "It takes no parameters."), read: () => undefined, set() {} };
  }
  const rest = isObject(method.rest) || method.rest === true;
  const fields = paramFields(api, method.params);
  const others = rest ? jsonField(api, { type: "object" }, "Further parameters") : null;
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
  // The JSON text is not validated against the schemas, so that invalid parameters can be sent on purpose.
  const text = jsonField(api, true, "Parameters");
  text.element.append(
    h("p.hint", "An object or an array. It is sent as it stands, without a look at the types."),
  );
  const isText = () => mode.value === "json";
  const mode = segmentedControl(
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
      else byFields.set(toNamed(method, text.read(errors)));
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
      else byFields.set(toNamed(method, value));
    },
  };
}

function toNamed(method, params) {
  if (!Array.isArray(params)) return params;
  const object = Object.create(null);
  method.params.forEach(({ name }, at) => at < params.length && (object[name] = params[at]));
  return object;
}
