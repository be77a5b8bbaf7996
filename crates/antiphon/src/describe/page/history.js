// The last calls, in memory only. One click brings a call back into its form.

import { fill, h, seconds } from "./dom.js";
import { write } from "./json.js";

// Older calls are forgotten.
const KEPT = 30;

// So much of the parameters is shown.
const LENGTH = 60;

const calls = [];
const list = h("ol.history");
const clear = h("button.quiet.small", { type: "button", onclick: forget }, "Forget all");

let restore = () => {};

/** The section, hidden as long as there is nothing in it. */
export const historyView = h(
  "section.past",
  { "aria-label": "History", hidden: true },
  h("h2", "History", clear),
  list,
);

/** What to do when somebody picks a call. */
export function onRestore(handler) {
  restore = handler;
}

/** Remembers a call: `{ method, params, isNotification, byPosition, outcome, time }`. */
export function record(call) {
  calls.unshift({ ...call, at: new Date() });
  calls.length = Math.min(calls.length, KEPT);
  draw();
}

function forget() {
  calls.length = 0;
  draw();
}

function draw() {
  historyView.hidden = !calls.length;
  fill(
    list,
    calls.map((call) => h("li", row(call))),
  );
}

function row(call) {
  const params = call.params === undefined ? "" : short(call.params);
  const isFine = call.outcome === "Result" || call.outcome === "Sent" || call.outcome === "Subscribed";
  return h(
    "button.past-call",
    { type: "button", onclick: () => restore(call), title: "Back into the form" },
    h("code.name", call.method.name),
    h("code.dim.params-line", params),
    h(`span.outcome.${isFine ? "fine" : "bad"}`, call.outcome),
    h("span.dim.when", call.time === undefined ? "" : seconds(call.time), " ", call.at.toLocaleTimeString()),
  );
}

export function short(value) {
  const text = write(value);
  return text.length > LENGTH ? `${text.slice(0, LENGTH).toWellFormed()}…` : text;
}
