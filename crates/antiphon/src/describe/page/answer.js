// What came back: the result or the error of a call, its time and size, and what an error means.

import { bytes, copyButton, h, seconds } from "./dom.js";
import { MAX_TREE, jsonView } from "./highlight.js";
import { scan } from "./json.js";
import { spans } from "./markdown.js";
import { answer } from "./rpc.js";

// So much of a text that is no answer is shown.
const BEGINNING = 20_000;

const CODES = new Map([
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
  [-32800, ["Cancelled", "The caller cancelled the call."]],
]);

/** What a code means: what the method declares first, then the specification and the server. */
function explain(code, method) {
  const declared = method?.errors.find((error) => error.code === code);
  if (declared) return ["Declared by the method", declared.doc || declared.message];
  if (CODES.has(code)) return CODES.get(code);
  if (code >= -32099 && code <= -32000) return ["Server error", "The server has kept this code for itself."];
  return ["The method's own error", "The method did not declare it."];
}

/** The time and size of a reply, and buttons for its text. */
export function facts({ time, size, status }, body) {
  return h(
    "div.facts",
    h("span", { class: "time", title: "From sending to the last byte" }, seconds(time)),
    h("span", { class: "size", title: "Size of the answer's body" }, bytes(size)),
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

/** The whole reply to one call. Gives `{ element, outcome }`, the latter in a word. */
export function replyView(reply, method, isNotification) {
  const body = reply.text;
  const wrap = (kind, outcome, ...parts) => ({
    outcome,
    element: h(`div.answer.${kind}`, h("div.answer-head", h("strong", outcome), facts(reply, body)), parts),
  });
  if (reply.refusal) return wrap("failed", "Refused", h("p", `HTTP ${reply.status}: ${reply.refusal}`));
  if (isNotification && body === "")
    return wrap("done", "Sent", h("p.dim", "A notification is never answered."));
  if (body.length > MAX_TREE) return wrap("done", "Answer", jsonView(body));
  let tree;
  try {
    tree = scan(body);
  } catch (error) {
    return wrap("failed", "Not JSON", h("p", error.message), h("pre", body.slice(0, BEGINNING)));
  }
  const parts = answer(tree, body);
  if (!parts) return wrap("failed", "No answer", jsonView(body));
  if (parts.error) return wrap("failed", `Error ${parts.error.code}`, errorView(parts.error, method));
  return wrap("done", "Result", jsonView(parts.result));
}

/** An error object, explained. */
export function errorView({ code, message, data }, method) {
  const [title, meaning] = explain(code, method);
  return h(
    "div.error",
    h("p.message", message.length > 4000 ? `${message.slice(0, 4000)}…` : message),
    h("p.meaning", h("strong", title), ". ", spans(meaning)),
    data !== undefined && [h("p.dim", "Data"), jsonView(data)],
  );
}

/** What went wrong on the way, in words. */
export function failureView(error) {
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
