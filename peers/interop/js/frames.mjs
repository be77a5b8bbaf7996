// Speaks WebSocket to an Antiphon server, in good and in broken frames: node frames.mjs HOST PORT

import crypto from "node:crypto";
import net from "node:net";
import WebSocket from "ws";
import { promised, tell } from "./lib.mjs";

const [host, port] = process.argv.slice(2);
const url = `ws://${host}:${port}`;
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const PONG = '{"jsonrpc":"2.0","id":1,"result":"pong"}';

/** A connection whose messages, pongs and end can be awaited. */
async function open(protocols, options = {}) {
  const socket = new WebSocket(url + (options.path ?? ""), protocols ?? [], options);
  const came = [];
  const asked = [];
  socket.on("message", (data, binary) => {
    const message = { text: data.toString(), binary };
    const next = asked.shift();
    if (next === undefined) came.push(message);
    else next.resolve(message);
  });
  const closed = promised();
  // After a frame of ours that is broken, writing may fail: the end tells.
  socket.on("error", () => {});
  socket.on("close", (code) => closed.resolve(code));
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  const next = () => {
    if (came.length > 0) return Promise.resolve(came.shift());
    asked.push(promised());
    return asked.at(-1).promise;
  };
  return { socket, next, closed: closed.promise };
}

/** The status of a handshake that is refused, or what else came of it. */
function refused(protocols, options = {}) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url + (options.path ?? ""), protocols ?? [], options);
    socket.on("unexpected-response", (_, response) => {
      resolve(response.statusCode);
      response.destroy();
    });
    socket.on("open", () => {
      resolve("open");
      socket.close();
    });
    socket.on("error", (error) => resolve(error.message));
  });
}

/** The code with which the server ends a connection after these bytes, from a socket without a library. */
async function ended_by(...bytes) {
  const socket = net.connect(Number(port), host);
  socket.on("error", () => {});
  const key = crypto.randomBytes(16).toString("base64");
  const head = `GET / HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
    + `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
  socket.write(head);
  let all = Buffer.alloc(0);
  let sent = false;
  for await (const chunk of socket) {
    all = Buffer.concat([all, chunk]);
    const at = all.indexOf("\r\n\r\n");
    if (!sent && at >= 0) {
      sent = true;
      all = all.subarray(at + 4);
      socket.write(Buffer.concat(bytes.map((part) => Buffer.from(part))));
    }
    // The server closes with a short frame of its own and without a mask.
    if (sent && all.length >= 4 && all[0] === 0x88) break;
  }
  socket.destroy();
  return all[0] === 0x88 ? all.readUInt16BE(2) : all.toString("hex");
}

/** A masked frame; the mask is zero, which leaves the payload as it is. */
function frame(first, payload) {
  const bytes = Buffer.from(payload);
  const length = bytes.length < 126 ? [bytes.length | 0x80] : [126 | 0x80, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([first, ...length, 0, 0, 0, 0]), bytes]);
}

// The handshake.
{
  const { socket, closed } = await open(["other", "jsonrpc"]);
  tell("the subprotocol", socket.protocol);
  tell("compression, offered and not agreed on", socket.extensions);
  socket.close(1000);
  tell("a good end", await closed);
}
tell("no subprotocol of ours", await refused(["other"]));
tell("an evil origin", await refused([], { origin: "http://evil.example" }));
tell("our own origin", await refused([], { origin: `http://${host}:${port}` }));
tell("another host", await refused([], { headers: { host: "evil.example" } }));
tell("another path", await refused([], { path: "/nowhere" }));
tell("an old version", await refused([], { protocolVersion: 8 }));

// Frames in good order.
{
  const { socket, next, closed } = await open();
  socket.send(PING);
  tell("text", await next());
  socket.send(Buffer.from(PING));
  tell("binary", await next());
  for (const [at, part] of [...PING].entries()) socket.send(part, { fin: at + 1 === PING.length });
  tell("in fragments", await next());
  const pong = promised();
  socket.on("pong", (data) => pong.resolve(data.toString()));
  socket.send(PING.slice(0, 10), { fin: false });
  socket.ping("between");
  tell("a ping within a message", await pong.promise);
  socket.send(PING.slice(10), { fin: true });
  tell("the rest of it", await next());
  socket.send("");
  tell("an empty message", JSON.parse((await next()).text).error.code);
  socket.send("{");
  tell("no JSON", JSON.parse((await next()).text).error.code);
  const text = "ü".repeat(3_000_000);
  socket.send(JSON.stringify({ jsonrpc: "2.0", id: 2, method: "echo", params: [text] }));
  tell("6 MB", JSON.parse((await next()).text).result === text);
  for (let n = 0; n < 1000; n += 1) socket.send(PING);
  let same = 0;
  for (let n = 0; n < 1000; n += 1) same += (await next()).text === PONG ? 1 : 0;
  tell("a thousand at once", same);
  socket.close(4001, "bye");
  tell("the end that we chose", await closed);
}

// What ends a connection.
async function ends(check, break_it) {
  const { socket, closed } = await open();
  break_it(socket);
  tell(check, await closed);
}
await ends("too big", (socket) => socket.send(Buffer.alloc(10 * 1024 * 1024 + 1, 32)));
await ends("too big in fragments", (socket) => {
  const part = Buffer.alloc(1024 * 1024, 32);
  for (let n = 0; n < 11; n += 1) socket.send(part, { fin: n === 10 });
});
await ends("bad UTF-8", (socket) => socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false }));
await ends("without a mask", (socket) => socket.send(PING, { mask: false }));

tell("reserved bits", await ended_by(frame(0xc1, PING)));
tell("an unknown opcode", await ended_by(frame(0x83, PING)));
tell("an unknown control frame", await ended_by(frame(0x8b, "")));
tell("a continuation of nothing", await ended_by(frame(0x80, PING)));
tell("a message within a message", await ended_by(frame(0x01, "["), frame(0x81, PING)));
tell("a ping in fragments", await ended_by(frame(0x09, "")));
tell("a long ping", await ended_by(frame(0x89, Buffer.alloc(126))));
tell("an end of one byte", await ended_by(frame(0x88, [3])));
tell("an end that does not exist", await ended_by(frame(0x88, [0x03, 0xe7])));
tell("an end for nobody to send", await ended_by(frame(0x88, [0x03, 0xed])));
tell("an end in bad UTF-8", await ended_by(frame(0x88, [0x03, 0xe8, 0xff])));
tell("a length of all bits", await ended_by([0x81, 0xff], Buffer.alloc(8, 0xff), Buffer.alloc(4)));
tell("a good end by hand", await ended_by(frame(0x88, [0x03, 0xe8])));
process.exit(0);
