// A server made with vscode-jsonrpc: node server.mjs serves TCP on a free port of loopback and tells
// it; node server.mjs --stdio serves its own standard input and output.

import net from "node:net";
import rpc from "vscode-jsonrpc/node";
import { refusal, tell } from "./lib.mjs";

/** What the tests may know of calls here; on standard output the messages are alone. */
const stdio = process.argv.includes("--stdio");
const say = stdio ? () => {} : tell;

function serve(input, output) {
  const connection = rpc.createMessageConnection(
    new rpc.StreamMessageReader(input),
    new rpc.StreamMessageWriter(output),
  );
  connection.onRequest("add", (a, b) => a + b);
  connection.onRequest("subtract", ({ minuend, subtrahend }) => minuend - subtrahend);
  connection.onRequest("echo", (text) => text);
  connection.onRequest("nothing", () => {});
  connection.onRequest("refuse", () => {
    throw new rpc.ResponseError(7, "no", { why: "because" });
  });
  connection.onRequest("fail", () => {
    throw new Error("broken");
  });
  connection.onRequest("wait", (token) => {
    say("waiting", true);
    return new Promise((resolve) => token.onCancellationRequested(() => {
      say("cancelled", true);
      resolve("given up");
    }));
  });
  // A handler does not learn the id of its request: the caller names the token.
  connection.onRequest("steps", async (token, count) => {
    const type = new rpc.ProgressType();
    for (let n = 1; n <= count; n += 1) await connection.sendProgress(type, token, n);
    return count;
  });
  connection.onRequest("ask", (n) => connection.sendRequest("double", n));
  connection.onRequest("ask_for", (method) => refusal(connection.sendRequest(method)));
  connection.onRequest("ask_in_vain", async () => {
    const source = new rpc.CancellationTokenSource();
    const held = refusal(connection.sendRequest("hold", source.token));
    await connection.sendRequest("double", 1);
    source.cancel();
    return (await held).code;
  });
  connection.onRequest("tell_all", async (count) => {
    for (let n = 1; n <= count; n += 1) void connection.sendNotification("heard", n);
    return count;
  });
  connection.onNotification("note", (text) => say("note", text));
  connection.onRequest("leave", () => {
    output.end();
    return new Promise(() => {});
  });
  connection.listen();
}

if (stdio) {
  serve(process.stdin, process.stdout);
} else {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    serve(socket, socket);
  });
  server.listen(0, "127.0.0.1", () => tell("port", server.address().port));
}
