// Call history, in memory only. A click puts a call back into its form.

import { h, setChildren } from "./dom.js";
import { formatSeconds, preview } from "./format.js";

// Older calls are dropped.
const MAX_CALLS = 30;

const calls = [];
const list = h("ol.history");
const clearButton = h("button.quiet.small", { type: "button", onclick: clearHistory }, "Forget all");

let restore = () => {};

/** The history section. It is hidden while there are no calls. */
export const historyView = h(
  "section.past",
  { "aria-label": "History", hidden: true },
  h("h2", "History", clearButton),
  list,
);

/** Sets the handler for a call that the user picks. */
export function onRestore(handler) {
  restore = handler;
}

/** Adds a call: `{ method, params, isNotification, byPosition, outcome, time }`. */
export function recordCall(call) {
  calls.unshift({ ...call, at: new Date() });
  calls.length = Math.min(calls.length, MAX_CALLS);
  render();
}

function clearHistory() {
  calls.length = 0;
  render();
}

function render() {
  historyView.hidden = !calls.length;
  setChildren(
    list,
    calls.map((call) => h("li", callRow(call))),
  );
}

function callRow(call) {
  const params = call.params === undefined ? "" : preview(call.params);
  const isFine = call.outcome === "Result" || call.outcome === "Sent" || call.outcome === "Subscribed";
  return h(
    "button.past-call",
    { type: "button", onclick: () => restore(call), title: "Back into the form" },
    h("code.name", call.method.name),
    h("code.dim.params-line", params),
    h(`span.outcome.${isFine ? "fine" : "bad"}`, call.outcome),
    h(
      "span.dim.when",
      call.time === undefined ? "" : formatSeconds(call.time),
      " ",
      call.at.toLocaleTimeString(),
    ),
  );
}
