// Subscription client over a WebSocket or an event stream.
//
// The event stream is used with a token, or if no WebSocket can be opened. Both call a listener:
// `{ opened(id), item(seq, raw), ended(reason, error, seq), failed(text) }`.

import { member, parseTree, rawText } from "./json.js";
import { decodeResponse, encodeRequest, hasToken, serverUrl, withToken } from "./rpc.js";

// Time for the server to accept a subscription, in milliseconds.
const TIMEOUT = 15_000;

/** Subscribes to a method: `{ stop() }`, which unsubscribes. */
export function subscribe(method, params, listener) {
  let current = null;
  let stopped = false;
  // Browsers cannot set headers on a WebSocket, so the token could not be sent.
  if (hasToken()) current = overEventStream(method, params, listener);
  else {
    current = overWebSocket(method, params, listener, () => {
      if (!stopped) current = overEventStream(method, params, listener);
    });
  }
  return {
    stop() {
      stopped = true;
      current.stop();
    },
  };
}

/** Handles the messages of the server: the response, items and the end. */
function messageReader(listener) {
  let id;
  let isOver = false;
  const end = (tell) => {
    if (isOver) return;
    isOver = true;
    tell();
  };
  return {
    get id() {
      return id;
    },
    get isOver() {
      return isOver;
    },
    end,
    read(text) {
      const tree = parseTree(text);
      if (member(tree, "method") === undefined) {
        if (id !== undefined) return;
        const parts = decodeResponse(tree, text);
        if (parts?.result === undefined) {
          end(() =>
            parts?.error
              ? listener.ended("error", parts.error)
              : listener.failed("The answer makes no sense."),
          );
          return;
        }
        id = parts.result;
        listener.opened(id);
        return;
      }
      const params = member(tree, "params");
      const part = (name) => {
        const found = member(params, name);
        return found === undefined ? undefined : rawText(found, text);
      };
      if (id === undefined || part("subscription") !== id) return;
      const item = part("result");
      const seq = Number(part("seq"));
      if (item !== undefined) listener.item(seq, item);
      else if (part("end") !== undefined) end(() => listener.ended(JSON.parse(part("end")), null, seq));
      else if (part("error") !== undefined)
        end(() => listener.ended("error", decodeResponse(params, text)?.error, seq));
    },
  };
}

function overWebSocket(method, params, listener, fallBack) {
  const messages = messageReader(listener);
  const socket = new WebSocket(serverUrl(location.protocol.replace("http", "ws")));
  let wasOpen = false;
  let wasStopped = false;
  const clock = setTimeout(() => {
    if (messages.id !== undefined) return;
    messages.end(() => listener.failed("The server did not answer in time."));
    socket.close();
  }, TIMEOUT);
  socket.addEventListener("open", () => {
    wasOpen = true;
    socket.send(encodeRequest(method.name, params));
  });
  socket.addEventListener("message", ({ data }) => {
    try {
      messages.read(data);
    } catch {
      messages.end(() => listener.failed("The server sent what is no JSON."));
    }
    if (messages.isOver) socket.close();
  });
  socket.addEventListener("close", () => {
    clearTimeout(clock);
    if (!wasOpen && !messages.isOver) fallBack();
    else if (wasStopped) messages.end(() => listener.ended("unsubscribed"));
    else messages.end(() => listener.failed("The connection broke."));
  });
  return {
    stop() {
      if (messages.isOver) return;
      wasStopped = true;
      if (socket.readyState === WebSocket.OPEN && messages.id !== undefined) {
        socket.send(
          `{"jsonrpc":"2.0","id":"bye","method":${JSON.stringify(method.stream.unsubscribe)},"params":[${messages.id}]}`,
        );
        // The server sends no end message for a plain stream.
        if (method.stream.plain) messages.end(() => listener.ended("unsubscribed"));
        setTimeout(() => socket.close(), 1000);
      } else {
        messages.end(() => listener.ended("unsubscribed"));
        socket.close();
      }
    },
  };
}

// Limit for an event that does not end, in characters.
const MAX_EVENT = 32 << 20;

function overEventStream(method, params, listener) {
  const messages = messageReader(listener);
  const controller = new AbortController();
  const run = async () => {
    const response = await fetch("./", {
      method: "POST",
      headers: withToken({
        "content-type": "application/json",
        accept: "text/event-stream, application/json",
      }),
      body: encodeRequest(method.name, params),
      signal: controller.signal,
    });
    if (!response.ok) {
      const text = await response.text();
      messages.end(() => listener.failed(`HTTP ${response.status}: ${text.slice(0, 500)}`));
      return;
    }
    if (!/event-stream/.test(response.headers.get("content-type") ?? "")) {
      messages.read(await response.text());
      return;
    }
    let rest = "";
    for await (const chunk of chunks(response)) {
      const events = (rest + chunk).split(/\r?\n\r?\n/);
      rest = events.pop();
      for (const event of events) {
        const data = event
          .split(/\r?\n/)
          .filter((line) => line.startsWith("data:"))
          .map((line) => line.slice(5).replace(/^ /, ""));
        if (data.length) messages.read(data.join("\n"));
      }
      if (rest.length > MAX_EVENT) throw new Error("too long");
    }
  };
  run()
    .then(() => messages.end(() => listener.failed("The connection ended.")))
    .catch(() => messages.end(() => listener.failed("The connection broke.")));
  return {
    stop() {
      messages.end(() => listener.ended("unsubscribed"));
      controller.abort();
    },
  };
}

async function* chunks(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield value;
  }
}
