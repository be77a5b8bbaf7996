// Calls an Antiphon server with vscode-jsonrpc: node client.mjs HOST PORT, over TCP, or
// node client.mjs PROGRAM, over the standard input and output of a program that it starts.

import { spawn } from "node:child_process";
import net from "node:net";
import rpc from "vscode-jsonrpc/node";
import { promised, refusal, tell } from "./lib.mjs";

const { StreamMessageReader, StreamMessageWriter } = rpc;

/** A connection, and how it is left. */
async function connect([first, port]) {
  if (port === undefined) {
    const child = spawn(first, [], { stdio: ["pipe", "pipe", "inherit"] });
    const ended = new Promise((resolve) => child.on("exit", resolve));
    return { input: child.stdout, output: child.stdin, ended };
  }
  const socket = net.connect(Number(port), first);
  await new Promise((resolve, reject) => socket.on("connect", resolve).on("error", reject));
  return { input: socket, output: socket, ended: new Promise((resolve) => socket.on("close", () => resolve(0))) };
}

const { input, output, ended } = await connect(process.argv.slice(2));
const connection = rpc.createMessageConnection(
  new StreamMessageReader(input),
  new StreamMessageWriter(output),
);

// What the server may call here.
const waiting = promised();
const given_up = promised();
const heard = [];
connection.onRequest("double", (n) => 2 * n);
connection.onRequest("refuse", () => {
  throw new rpc.ResponseError(7, "no", { why: "because" });
});
connection.onRequest("wait", (token) => {
  waiting.resolve();
  return new Promise((resolve) => token.onCancellationRequested(() => {
    given_up.resolve("cancelled");
    resolve(null);
  }));
});
connection.onNotification("heard", (n) => void heard.push(n));
const progress = [];
connection.onUnhandledProgress(({ token, value }) => void progress.push([token, value]));
connection.listen();

// Requests and errors.
tell("by position", await connection.sendRequest("calc.add", 3, 7));
tell("by name", await connection.sendRequest("calc.add", { b: 7, a: 3 }));
tell("without parameters", await connection.sendRequest("ping"));
const text = "ü\u2028\u{1f600}\n".repeat(100_000);
tell("a long text", (await connection.sendRequest("echo", text)) === text);
tell("an error", await refusal(connection.sendRequest("calc.divide", 5, 0)));
tell("an unknown method", await refusal(connection.sendRequest("none")));
tell("parameters that do not fit", await refusal(connection.sendRequest("calc.add", 3)));
const sums = Array.from({ length: 200 }, (_, n) => connection.sendRequest("calc.add", n, 1));
tell("many at a time", (await Promise.all(sums)).every((sum, n) => sum === n + 1));

// Notifications, of which the last is not sent before the first has left.
for (let n = 0; n < 100; n += 1) void connection.sendNotification("note", String(n));
await connection.sendNotification("none", 1);

// Progress: under the id of the call, and under a token.
tell("steps", await connection.sendRequest("report", 3));
tell("values", progress.map(([, value]) => value));
tell("one token, a number", new Set(progress.map(([token]) => token)).size === 1 && typeof progress[0][0] === "number");
tell("many steps", await connection.sendRequest("report", 5000));
tell("all of them, in order", progress.slice(3).length === 5000 && progress.slice(3).every(([, n], at) => n === at + 1));
const steps = [];
const type = new rpc.ProgressType();
const listening = connection.onProgress(type, "work 1", (value) => void steps.push(value));
tell("steps under a token", await connection.sendRequest("report_to", "work 1", 3));
tell("values under a token", steps);
listening.dispose();

// The server calls back.
tell("called back", await connection.sendRequest("twice", 10));
tell("a refusal came through", (await refusal(connection.sendRequest("relay", "refuse", []))).code);
tell("nobody is there", (await refusal(connection.sendRequest("relay", "missing", []))).code);
const twice = Array.from({ length: 300 }, (_, n) => connection.sendRequest("twice", n));
tell("called back six hundred times", (await Promise.all(twice)).every((result, n) => result === 4 * n));
tell("many are told", await connection.sendRequest("tell_all", 100));
tell("in order, before the answer", heard.length === 100 && heard.every((n, at) => n === at + 1));

// Cancellation: of a call that waits, and of one that waits for us.
const source = new rpc.CancellationTokenSource();
const held = refusal(connection.sendRequest("hold", source.token));
tell("between", await connection.sendRequest("ping"));
source.cancel();
tell("cancelled", (await held).code);
const second = new rpc.CancellationTokenSource();
const relayed = refusal(connection.sendRequest("relay", "wait", [], second.token));
await waiting.promise;
second.cancel();
tell("cancelled while it waits for us", (await relayed).code);
tell("and so were we", await given_up.promise);

const hasty = new rpc.CancellationTokenSource();
const hurried = refusal(connection.sendRequest("hold", hasty.token));
const answered = connection.sendRequest("ping", hasty.token);
hasty.cancel();
tell("cancelled at once", (await hurried).code);
tell("answered before", await answered);

// A subscription, made of its messages.
const items = [];
const all = promised();
connection.onNotification("full_ending_item", (item) => {
  items.push(item);
  if (item.end !== undefined) all.resolve();
});
const id = await connection.sendRequest("full_ending", 2);
await all.promise;
tell("items", items.map(({ subscription, ...rest }) => ({ ...rest, ours: subscription === id })));

// A call that is left behind ends with the connection.
void refusal(connection.sendRequest("hold"));
tell("the last", await connection.sendRequest("ping"));
connection.end();
output.end();
tell("ended", await ended);
process.exit(0);
