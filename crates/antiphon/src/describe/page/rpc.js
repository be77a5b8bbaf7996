// Calls over HTTP: how a request is written, sent, timed and weighed, and what its answer is.

import { member, raw, scan, write } from "./json.js";

// The server's own limits are far below; this one is for a server that hangs.
const PATIENCE = 120_000;

// Only here, and gone with the page.
let token = "";

const listeners = new Set();

export function setToken(value) {
  token = value.trim();
  for (const listener of listeners) listener();
}

export function hasToken() {
  return token !== "";
}

/** Calls back whenever a token was given or taken away. */
export function onToken(listener) {
  listeners.add(listener);
}

/** The headers that show the token, if there is one. */
export function authorized(headers = {}) {
  return token ? { ...headers, authorization: `Bearer ${token}` } : headers;
}

let last = 0;

/** The text of a request. `params` is an array, an object or undefined; a notification has no id. */
export function request(method, params, isNotification = false, id = (last += 1)) {
  const parts = ['"jsonrpc": "2.0"'];
  if (!isNotification) parts.push(`"id": ${JSON.stringify(id)}`);
  parts.push(`"method": ${JSON.stringify(method)}`);
  if (params !== undefined) parts.push(`"params": ${write(params)}`);
  return `{${parts.join(", ")}}`;
}

/** The address of the page as one of the server. */
export function address(scheme = location.protocol) {
  return `${scheme}//${location.host}${location.pathname.replace(/[^/]*$/, "")}`;
}

/**
 * Sends a text and waits for the answer: `{ status, text, time, size, refusal }`, with `time` in
 * seconds. `refusal` is what the server said instead of an answer. Throws if nothing came.
 */
export async function post(body, signal, headers = {}) {
  const limit = AbortSignal.timeout(PATIENCE);
  const began = performance.now();
  const response = await fetch("./", {
    method: "POST",
    headers: authorized({ "content-type": "application/json", ...headers }),
    body,
    cache: "no-store",
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
  const data = await response.arrayBuffer();
  const time = (performance.now() - began) / 1000;
  const text = new TextDecoder().decode(data);
  const isAnswer = response.ok && (response.status === 204 || isJson(response));
  return {
    status: response.status,
    text,
    time,
    size: data.byteLength,
    refusal: isAnswer ? "" : text.slice(0, 2000) || response.statusText || "no text",
  };
}

function isJson(response) {
  return /json/.test(response.headers.get("content-type") ?? "");
}

/**
 * An answer's parts, as raw texts: `{ result }`, `{ error: { code, message, data } }`, or `null` for
 * what is no answer.
 */
export function answer(tree, text) {
  const result = member(tree, "result");
  if (result !== undefined) return { result: raw(result, text) };
  const error = member(tree, "error");
  if (!error?.keys) return null;
  const part = (name) => {
    const found = member(error, name);
    return found === undefined ? undefined : raw(found, text);
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

/** A call of the page's own: its result as plain JavaScript, or an error with `code`. */
export async function call(method, params, signal) {
  const reply = await post(request(method, params), signal);
  if (reply.refusal) throw Object.assign(new Error(reply.refusal), { status: reply.status });
  const parts = answer(scan(reply.text), reply.text);
  if (!parts) throw new Error("The answer makes no sense.");
  if (parts.error) throw Object.assign(new Error(parts.error.message), { code: parts.error.code });
  return JSON.parse(parts.result);
}
