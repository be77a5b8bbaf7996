// JSON-RPC client over HTTP, and the token that it sends.

import { member, parseTree, rawText, stringify } from "./json.js";

// For a server that hangs. The limits of the server itself are far lower.
const TIMEOUT = 120_000;

// The statuses of single calls that were refused before they ran; their bodies are responses.
const DENIED = new Set([401, 403, 429]);

// In memory only, so that it is gone when the page is closed.
let token = "";

const listeners = new Set();

export function setToken(value) {
  token = value.trim();
  for (const listener of listeners) listener();
}

export function hasToken() {
  return token !== "";
}

/** Adds a listener for changes of the token. */
export function onToken(listener) {
  listeners.add(listener);
}

/** The headers, with the token if there is one. */
export function withToken(headers = {}) {
  return token ? { ...headers, authorization: `Bearer ${token}` } : headers;
}

let lastId = 0;

/**
 * The text of a request. `params` is an array, an object or undefined. A notification has no id. A
 * subscription begins behind the item with the cursor `after`, if there is one.
 */
export function encodeRequest(method, params, isNotification = false, id = (lastId += 1), after = undefined) {
  const parts = ['"jsonrpc": "2.0"'];
  if (!isNotification) parts.push(`"id": ${JSON.stringify(id)}`);
  parts.push(`"method": ${JSON.stringify(method)}`);
  if (params !== undefined) parts.push(`"params": ${stringify(params)}`);
  if (after !== undefined) parts.push(`"after": ${JSON.stringify(after)}`);
  return `{${parts.join(", ")}}`;
}

/** The URL of the server, derived from the URL of the page. */
export function serverUrl(scheme = location.protocol) {
  return `${scheme}//${location.host}${location.pathname.replace(/[^/]*$/, "")}`;
}

/**
 * Sends a text and waits for the response: `{ status, text, time, size, refusal }`, with `time` in
 * seconds. `refusal` is the text of an HTTP error. Throws if there is no response.
 */
export async function post(body, signal, headers = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT);
  const began = performance.now();
  const response = await fetch("./", {
    method: "POST",
    headers: withToken({ "content-type": "application/json", ...headers }),
    body,
    cache: "no-store",
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  const data = await response.arrayBuffer();
  const time = (performance.now() - began) / 1000;
  const text = new TextDecoder().decode(data);
  const mayAnswer = response.ok || DENIED.has(response.status);
  const isResponse = response.status === 204 || (mayAnswer && isJson(response));
  return {
    status: response.status,
    text,
    time,
    size: data.byteLength,
    refusal: isResponse ? "" : text.slice(0, 2000) || response.statusText || "no text",
  };
}

function isJson(response) {
  return /json/.test(response.headers.get("content-type") ?? "");
}

/**
 * Decodes a response into `{ result }` or `{ error: { code, message, data } }`, where `result` and `data`
 * are raw text; `null` if it is not a response.
 */
export function decodeResponse(tree, text) {
  const result = member(tree, "result");
  if (result !== undefined) return { result: rawText(result, text) };
  const error = member(tree, "error");
  if (!error?.keys) return null;
  const part = (name) => {
    const found = member(error, name);
    return found === undefined ? undefined : rawText(found, text);
  };
  const message = part("message");
  return {
    error: {
      code: Number(part("code")),
      message: message?.startsWith('"') ? JSON.parse(message) : "",
      data: part("data"),
    },
  };
}

/** Calls a method for the page itself. Returns the result, or throws an error with `code`. */
export async function call(method, params, signal) {
  const response = await post(encodeRequest(method, params), signal);
  if (response.refusal) throw Object.assign(new Error(response.refusal), { status: response.status });
  const parts = decodeResponse(parseTree(response.text), response.text);
  if (!parts) throw new Error("The answer makes no sense.");
  if (parts.error) throw Object.assign(new Error(parts.error.message), { code: parts.error.code });
  return JSON.parse(parts.result);
}
