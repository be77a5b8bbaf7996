// Batch requests: calls collected from their forms and sent in one request.

import { announce, h, setChildren } from "./dom.js";
import { preview } from "./format.js";
import { member, parseTree, rawText } from "./json.js";
import { jsonView } from "./json_view.js";
import { errorView, responseFacts, responseView, transportErrorView } from "./response.js";
import { decodeResponse, encodeRequest, post } from "./rpc.js";

// The default limit of the server.
const MAX_CALLS = 100;

const entries = [];
const list = h("ol.entries");
const results = h("div.answers");
const sendButton = h("button.primary", { type: "button", onclick: sendAll }, "Send batch");
const clearButton = h(
  "button",
  { type: "button", onclick: () => update(() => (entries.length = 0)) },
  "Clear",
);

/** The batch section. It is hidden while the batch is empty. */
export const batchView = h(
  "section.batch",
  { "aria-label": "Batch", hidden: true },
  h("h2", "Batch"),
  list,
  h("div.actions", sendButton, clearButton),
  results,
);

/** Adds a call to the batch: `{ method, params, isNotification }`. */
export function addToBatch(call) {
  if (entries.length >= MAX_CALLS) {
    announce(`A batch has at most ${MAX_CALLS} calls`);
    return;
  }
  update(() => entries.push(call));
  announce(
    `Added ${call.method.name}; the batch has ${entries.length} ${entries.length === 1 ? "call" : "calls"}`,
  );
}

function update(mutate) {
  mutate();
  batchView.hidden = !entries.length && !results.childElementCount;
  sendButton.disabled = !entries.length;
  if (!entries.length) setChildren(results);
  batchView.hidden = !entries.length;
  setChildren(
    list,
    entries.map((call, at) => h("li", callRow(call, at))),
  );
}

function callRow(call, at) {
  const name = call.method.name;
  const remove = h(
    "button.quiet.small.remove",
    { type: "button", "aria-label": `Remove ${name} from the batch` },
    "×",
  );
  remove.addEventListener("click", () => update(() => entries.splice(at, 1)));
  return [
    h("code.name", name),
    h("code.dim.params-line", call.params === undefined ? "" : preview(call.params)),
    call.isNotification && h("span.badge", "notification"),
    remove,
  ];
}

async function sendAll() {
  const sent = entries.map((call, at) => ({ ...call, id: at + 1 }));
  sendButton.disabled = true;
  try {
    const body = `[${sent.map((call) => encodeRequest(call.method.name, call.params, call.isNotification, call.id)).join(",")}]`;
    const response = await post(body);
    setChildren(results, resultsView(sent, response));
    announce("The batch was answered");
  } catch (error) {
    setChildren(results, transportErrorView(error).element);
  } finally {
    sendButton.disabled = !entries.length;
  }
}

function resultsView(sent, response) {
  let tree = null;
  try {
    tree = response.text === "" ? { items: [] } : parseTree(response.text);
  } catch {
    // Text that is not JSON is shown unchanged, below.
  }
  // An error of the whole batch is one object.
  if (response.refusal || !tree?.items || tree.keys) return responseView(response).element;
  const byId = new Map(
    tree.items.map((item) => [member(item, "id") && rawText(member(item, "id"), response.text), item]),
  );
  return h(
    "div.answer.done",
    h("div.answer-head", h("strong", "Answers"), responseFacts(response, response.text)),
    h(
      "ol.results",
      sent.map((call) => h("li", resultEntry(call, byId.get(String(call.id)), response.text))),
    ),
  );
}

function resultEntry(call, tree, text) {
  const name = h("code.name", call.method.name);
  if (call.isNotification) return [name, h("span.dim", " sent; a notification is never answered")];
  const parts = tree && decodeResponse(tree, text);
  if (!parts) return [name, h("span.bad", " not answered")];
  if (parts.error)
    return [name, h("span.bad", ` error ${parts.error.code}`), errorView(parts.error, call.method)];
  return [name, jsonView(parts.result)];
}
