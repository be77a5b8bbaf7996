// Subscription client over a WebSocket or an event stream.
//
// The event stream is used with a token, or if no WebSocket can be opened. Both call a listener:
// `{ opened(id), began(cursor), item(seq, raw, missed, cursor), ended(reason, error, seq, missed), failed(text),
// broke(text) }`, where `missed` counts the items before this one, or before the end, that the server has not
// kept; null if it does not know.
//
// If items have cursors, a subscription whose connection breaks is begun again behind the last one.

import { member, parseTree, rawText } from "./json.js";
import { decodeResponse, encodeRequest, hasToken, serverUrl, withToken } from "./rpc.js";

// Time for the server to accept a subscription, in milliseconds.
const TIMEOUT = 15_000;

// Pauses before a subscription is begun again, in milliseconds: a random part of the first, which
// doubles up to the second.
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 10_000;

/**
 * Subscribes to a method: `{ stop() }`, which unsubscribes. `listener` is told `opened()`, again after
 * `lost()`, `item(seq, raw, missed)`, and at last `ended(reason, error, seq, missed)` or `failed(text)`.
 */
export function subscribe(method, params, listener) {
  let current = null;
  let stopped = false;
  let wasOpened = false;
  // Asks where it begins, to go on there if the connection breaks before an item has come.
  let after = method.stream.resumes ? null : undefined;
  let attempts = 0;
  let timer = 0;
  const again = (otherwise) => {
    if (stopped || !wasOpened || !method.stream.resumes) return otherwise();
    listener.lost();
    const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** attempts);
    attempts += 1;
    timer = setTimeout(connect, Math.random() * longest);
  };
  const parts = {
    opened() {
      wasOpened = true;
      listener.opened();
    },
    began: (cursor) => (after = cursor),
    item(seq, raw, missed, cursor) {
      attempts = 0;
      after = cursor ?? after;
      listener.item(seq, raw, missed);
    },
    ended(reason, error, seq, missed) {
      const tell = () => listener.ended(reason, error, seq, missed);
      if (reason === "shutdown") again(tell);
      else tell();
    },
    failed: (text) => listener.failed(text),
    broke: (text) => again(() => listener.failed(text)),
  };
  function connect() {
    timer = 0;
    const request = () => encodeRequest(method.name, params, false, undefined, after);
    // Browsers cannot set headers on a WebSocket, so the token could not be sent.
    if (hasToken()) current = overEventStream(request(), parts);
    else {
      current = overWebSocket(method, request(), parts, () => {
        if (!stopped) current = overEventStream(request(), parts);
      });
    }
  }
  connect();
  return {
    stop() {
      stopped = true;
      if (!timer) return current.stop();
      clearTimeout(timer);
      listener.ended("unsubscribed");
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
      const [missed, cursor] = [part("missed"), part("cursor")].map((text) => text && JSON.parse(text));
      if (item !== undefined) listener.item(seq, item, missed, cursor);
      else if (part("end") !== undefined) end(() => listener.ended(JSON.parse(part("end")), null, seq, missed));
      else if (part("error") !== undefined)
        end(() => listener.ended("error", decodeResponse(params, text)?.error, seq, missed));
      else if (cursor !== undefined) listener.began(cursor);
    },
  };
}

function overWebSocket(method, request, listener, fallBack) {
  const messages = messageReader(listener);
  const socket = new WebSocket(serverUrl(location.protocol.replace("http", "ws")));
  let wasOpen = false;
  let wasStopped = false;
  const clock = setTimeout(() => {
    if (messages.id !== undefined) return;
    messages.end(() => listener.broke("The server did not answer in time."));
    socket.close();
  }, TIMEOUT);
  socket.addEventListener("open", () => {
    wasOpen = true;
    socket.send(request);
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
    else messages.end(() => listener.broke("The connection broke."));
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

function overEventStream(request, listener) {
  const messages = messageReader(listener);
  const controller = new AbortController();
  const run = async () => {
    const response = await fetch("./", {
      method: "POST",
      headers: withToken({
        "content-type": "application/json",
        accept: "text/event-stream, application/json",
      }),
      body: request,
      signal: controller.signal,
    });
    if (!response.ok) {
      const text = `HTTP ${response.status}: ${(await response.text()).slice(0, 500)}`;
      // What a server says that is too busy, or a proxy whose server is away.
      const passes = response.status >= 502 && response.status <= 504;
      messages.end(() => (passes ? listener.broke(text) : listener.failed(text)));
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
    .then(() => messages.end(() => listener.broke("The connection ended.")))
    .catch(() => messages.end(() => listener.broke("The connection broke.")));
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
