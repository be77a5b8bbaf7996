// Response views: result or error of a call, duration, size, and explanations of error codes.

import { h } from "./dom.js";
import { formatBytes, formatSeconds } from "./format.js";
import { parseTree } from "./json.js";
import { jsonView, MAX_TREE } from "./json_view.js";
import { renderInline } from "./markdown.js";
import { decodeResponse } from "./rpc.js";
import { copyButton } from "./widgets.js";

// Length of the part that is shown of a text that is not JSON.
const MAX_PLAIN = 20_000;

const STANDARD_CODES = new Map([
  [-32700, ["Parse error", "The server could not read the text as JSON. Nothing ran."]],
  [-32600, ["Invalid request", "The JSON is no request by the rules of JSON-RPC. Nothing ran."]],
  [
    -32601,
    [
      "Method not found",
      "There is no such method, or you may not see it. Methods for admins need the token, see “Access”.",
    ],
  ],
  [-32602, ["Invalid params", "The parameters do not fit the method. The data says which one and why."]],
  [
    -32603,
    [
      "Internal error",
      "The method failed in a way it did not foresee. The server's log has the reason under the incident's id.",
    ],
  ],
  [
    -32000,
    ["Overloaded", "The server has as many calls in flight as it allows. Nothing ran: try again later."],
  ],
  [-32001, ["Timeout", "The call did not end before its deadline."]],
  [-32003, ["Response too large", "The method ran, but its result is longer than an answer may be."]],
  [-32004, ["Needs a session", "The method streams: call it over WebSocket, or as an event stream."]],
  [-32005, ["Limit exceeded", "You made too many calls. Nothing ran: the data says when to try again."]],
  [
    -32006,
    [
      "Unauthenticated",
      "The server has to know who calls. Nothing ran. Give a token under “Access”, or a new one if yours has expired.",
    ],
  ],
  [
    -32007,
    ["Forbidden", "The server knows who you are, but you lack the scope that the data names. Nothing ran."],
  ],
  [-32800, ["Cancelled", "The caller cancelled the call."]],
]);

/** Title and meaning of an error code. Codes that the method declares come before the standard ones. */
function explainCode(code, method) {
  const declared = method?.errors.find((error) => error.code === code);
  if (declared) return ["Declared by the method", declared.doc || declared.message];
  if (STANDARD_CODES.has(code)) return STANDARD_CODES.get(code);
  if (code >= -32099 && code <= -32000) return ["Server error", "The server has kept this code for itself."];
  return ["The method's own error", "The method did not declare it."];
}

/** Duration and size of a response, with buttons to copy and save it. */
export function responseFacts({ time, size, status }, body) {
  return h(
    "div.facts",
    h("span", { class: "time", title: "From sending to the last byte" }, formatSeconds(time)),
    h("span", { class: "size", title: "Size of the answer's body" }, formatBytes(size)),
    h("span.dim", `HTTP ${status}`),
    body &&
      h(
        "span.push",
        copyButton(() => body),
      ),
    body.length > MAX_TREE && saveButton(body),
  );
}

function saveButton(body) {
  const button = h("button.quiet.small", { type: "button" }, "Save");
  button.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([body], { type: "application/json" }));
    h("a", { href: url, download: "answer.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  });
  return button;
}

/** The view of the response to one call: `{ element, outcome }`, where `outcome` is a short text. */
export function responseView(response, method, isNotification) {
  const body = response.text;
  const view = (kind, outcome, ...parts) => ({
    outcome,
    element: h(
      `div.answer.${kind}`,
      h("div.answer-head", h("strong", outcome), responseFacts(response, body)),
      parts,
    ),
  });
  if (response.refusal)
    return view("failed", "Refused", h("p", `HTTP ${response.status}: ${response.refusal}`));
  if (isNotification && body === "")
    return view("done", "Sent", h("p.dim", "A notification is never answered."));
  if (body.length > MAX_TREE) return view("done", "Answer", jsonView(body));
  let tree;
  try {
    tree = parseTree(body);
  } catch (error) {
    return view("failed", "Not JSON", h("p", error.message), h("pre", body.slice(0, MAX_PLAIN)));
  }
  const parts = decodeResponse(tree, body);
  if (!parts) return view("failed", "No answer", jsonView(body));
  if (parts.error) return view("failed", `Error ${parts.error.code}`, errorView(parts.error, method));
  return view("done", "Result", jsonView(parts.result));
}

/** The view of an error object, with an explanation. */
export function errorView({ code, message, data }, method) {
  const [title, meaning] = explainCode(code, method);
  return h(
    "div.error",
    h("p.message", message.length > 4000 ? `${message.slice(0, 4000)}…` : message),
    h("p.meaning", h("strong", title), ". ", renderInline(meaning)),
    data !== undefined && [h("p.dim", "Data"), jsonView(data)],
  );
}

/** The view of a request that got no response: cancelled, timed out or disconnected. */
export function transportErrorView(error) {
  const message =
    error.name === "AbortError"
      ? "You cancelled the call. It may have run."
      : error.name === "TimeoutError"
        ? "There was no answer within two minutes. The call may have run."
        : "The server was not reached, or the connection broke. The call may have run.";
  return {
    outcome: error.name === "AbortError" ? "Cancelled" : "No answer",
    element: h(
      "div.answer.failed",
      h("div.answer-head", h("strong", error.name === "AbortError" ? "Cancelled" : "No answer")),
      h("p", message),
    ),
  };
}
