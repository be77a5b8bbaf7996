// A batch: calls that are collected from their forms and sent in one request.

import { announce, fill, h } from "./dom.js";
import { errorView, facts, failureView, replyView } from "./answer.js";
import { jsonView } from "./highlight.js";
import { short } from "./history.js";
import { member, raw, scan } from "./json.js";
import { answer, post, request } from "./rpc.js";

// The server's own bound, unless it was told otherwise.
const MAX = 100;

const entries = [];
const list = h("ol.entries");
const results = h("div.answers");
const send = h("button.primary", { type: "button", onclick: sendAll }, "Send batch");
const clear = h("button", { type: "button", onclick: () => change(() => (entries.length = 0)) }, "Clear");

/** The section, hidden as long as there is nothing in it. */
export const batchView = h(
  "section.batch",
  { "aria-label": "Batch", hidden: true },
  h("h2", "Batch"),
  list,
  h("div.actions", send, clear),
  results,
);

/** Adds a call: `{ method, params, isNotification }`. */
export function addToBatch(call) {
  if (entries.length >= MAX) {
    announce(`A batch has at most ${MAX} calls`);
    return;
  }
  change(() => entries.push(call));
  announce(
    `Added ${call.method.name}; the batch has ${entries.length} ${entries.length === 1 ? "call" : "calls"}`,
  );
}

function change(how) {
  how();
  batchView.hidden = !entries.length && !results.childElementCount;
  send.disabled = !entries.length;
  if (!entries.length) fill(results);
  batchView.hidden = !entries.length;
  fill(
    list,
    entries.map((call, at) => h("li", row(call, at))),
  );
}

function row(call, at) {
  const name = call.method.name;
  const remove = h(
    "button.quiet.small.remove",
    { type: "button", "aria-label": `Remove ${name} from the batch` },
    "×",
  );
  remove.addEventListener("click", () => change(() => entries.splice(at, 1)));
  return [
    h("code.name", name),
    h("code.dim.params-line", call.params === undefined ? "" : short(call.params)),
    call.isNotification && h("span.badge", "notification"),
    remove,
  ];
}

async function sendAll() {
  const sent = entries.map((call, at) => ({ ...call, id: at + 1 }));
  send.disabled = true;
  try {
    const body = `[${sent.map((call) => request(call.method.name, call.params, call.isNotification, call.id)).join(",")}]`;
    const reply = await post(body);
    fill(results, view(sent, reply));
    announce("The batch was answered");
  } catch (error) {
    fill(results, failureView(error).element);
  } finally {
    send.disabled = !entries.length;
  }
}

function view(sent, reply) {
  let tree = null;
  try {
    tree = reply.text === "" ? { items: [] } : scan(reply.text);
  } catch {
    // It is shown as it is, below.
  }
  // A refusal of the whole batch is one object.
  if (reply.refusal || !tree?.items || tree.keys) return replyView(reply).element;
  const byId = new Map(
    tree.items.map((item) => [member(item, "id") && raw(member(item, "id"), reply.text), item]),
  );
  return h(
    "div.answer.done",
    h("div.answer-head", h("strong", "Answers"), facts(reply, reply.text)),
    h(
      "ol.results",
      sent.map((call) => h("li", entry(call, byId.get(String(call.id)), reply.text))),
    ),
  );
}

function entry(call, tree, text) {
  const name = h("code.name", call.method.name);
  if (call.isNotification) return [name, h("span.dim", " sent; a notification is never answered")];
  const parts = tree && answer(tree, text);
  if (!parts) return [name, h("span.bad", " not answered")];
  if (parts.error)
    return [name, h("span.bad", ` error ${parts.error.code}`), errorView(parts.error, call.method)];
  return [name, jsonView(parts.result)];
}
