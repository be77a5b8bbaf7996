// Subscriptions that resume, against the server whose URL is the argument.

import {
  RpcError,
  TransportError,
  WorkshopClient,
} from "../generated/workshop.js";

const url = (process.argv[2] ?? "").replace("http", "ws");

function same(found: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`not so: ${a} is ${b}`);
}

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; !holds(); turn += 1) {
    if (turn === 2000) throw new Error(`it never holds: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function raised(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error("no error");
    },
    (error: unknown) => error,
  );
}

let away = false;
let attempts = 0;
let latest: WebSocket | undefined;
/** The message that has come last. */
let message = "";
/** How often a server has said where a subscription begins. */
let begins = 0;

/** A WebSocket that can be cut, and finds nobody while the server is away. */
class Cut extends WebSocket {
  constructor(target: string) {
    super(away ? "ws://127.0.0.1:1" : target);
    attempts += 1;
    latest = this;
    this.addEventListener("message", ({ data }) => {
      message = String(data);
      const { cursor, result } = JSON.parse(message).params ?? {};
      begins += cursor !== undefined && result === undefined ? 1 : 0;
    });
  }
}

const teller = new WorkshopClient(url);
const client = new WorkshopClient(url, { webSocket: Cut });

/** Tells lines while the server is away for those who follow, or while it is there. */
async function tell(subject: string, lines: string[]): Promise<void> {
  for (const line of lines) await teller.news.tell(subject, line);
}

/** Follows a subject until the line `end`. */
function follow(subject: string, signal?: AbortSignal) {
  const lines: string[] = [];
  const subscription = client.news.follow(subject).with({
    missed: (count) => lines.push(`missed ${count}`),
    ...(signal === undefined ? {} : { signal }),
  });
  const over = (async () => {
    for await (const line of subscription) {
      lines.push(line);
      if (line === "end") break;
    }
  })();
  return { lines, over, subscription };
}

/** Lets a follower hear something, so that it has a place to go on from. */
async function heard(subject: string, lines: string[]): Promise<void> {
  while (lines.length === 0) {
    await tell(subject, ["hello"]);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await tell(subject, ["now"]);
  await until(() => lines.at(-1) === "now");
  lines.length = 0;
}

// What came while there was no connection follows, and what was not kept is told.
const one = follow("one");
await heard("one", one.lines);
for (const [told, expected] of [
  [["a", "b"], ["a", "b"]],
  [["c"], ["c"]],
  [
    ["d", "e", "f", "g", "h"],
    ["missed 2", "f", "g", "h"],
  ],
] as const) {
  away = true;
  latest?.close();
  await tell("one", [...told]);
  away = false;
  await until(() => one.lines.at(-1) === told.at(-1));
  same(one.lines, expected);
  one.lines.length = 0;
}
// A place can be kept by the program as well.
const place = one.subscription.cursor;
if (place === undefined) throw new Error("no cursor");
await tell("one", ["i", "end"]);
await one.over;
const later: string[] = [];
for await (const line of client.news.follow("one").with({ after: place })) {
  later.push(line);
  if (line === "end") break;
}
same(later, ["i", "end"]);
const unknown: (number | null)[] = [];
const options = { after: "1-1-1", missed: (n: number | null) => unknown.push(n) };
for await (const line of client.news.follow("one").with(options)) {
  if (line === "end") break;
}
same(unknown, [null]);

// Who has heard nothing yet goes on where it has begun.
const before = begins;
const two = follow("two");
await until(() => begins > before);
latest?.close();
await tell("two", ["x", "end"]);
await two.over;
same(two.lines, ["x", "end"]);

// What is missing behind the last item is told before the end.
for (const [missed, end, expected] of [
  [2, { end: "complete" }, null],
  [null, { end: "complete" }, null],
  [2, { error: { code: 7, message: "no" } }, "no"],
] as const) {
  const last = follow("last");
  await heard("last", last.lines);
  const ending = JSON.parse(message);
  ending.params = { ...ending.params, result: undefined, missed, ...end };
  ending.params.seq += 2;
  const data = JSON.stringify(ending);
  latest?.dispatchEvent(new MessageEvent("message", { data }));
  const error = expected === null ? await last.over : await raised(last.over);
  same(error instanceof RpcError ? error.message : null, expected);
  same(last.lines, [missed === null ? "missed null" : "missed 3"]);
}

// A signal ends the attempts, and so does the client's end.
const controller = new AbortController();
const three = follow("three", controller.signal);
await heard("three", three.lines);
const four = follow("four");
await heard("four", four.lines);
away = true;
latest?.close();
const tries = attempts;
await until(() => attempts > tries + 1);
controller.abort("enough");
same(await raised(three.over), "enough");
client.close();
const closed = await raised(four.over);
if (!(closed instanceof TransportError)) throw new Error(String(closed));
away = false;

// What the server refuses is no reason to come back.
const long = "x".repeat(300);
const refused = await raised(follow(long).over);
if (!(refused instanceof RpcError)) throw new Error(String(refused));
client.close();
teller.close();
console.log("done");
