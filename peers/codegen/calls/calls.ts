// Calls of a generated client, against the server whose URL is the argument.

import {
  CallTimeoutError,
  ErrorCode,
  ProtocolError,
  RpcError,
  type Shape,
  StreamError,
  TransportError,
  WorkshopClient,
} from "../generated/workshop.js";

const url = process.argv[2] ?? "";

function check(truth: boolean, what: string): asserts truth {
  if (!truth) throw new Error(`not so: ${what}`);
}

/** JSON, with members in the order of their names. */
function json(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort())
      : inner,
  );
}

function same(found: unknown, expected: unknown): void {
  const [a, b] = [json(found), json(expected)];
  check(a === b, `${a} is ${b}`);
}

async function raised(call: PromiseLike<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("no error");
}

async function calls(client: WorkshopClient): Promise<void> {
  const sum: number = await client.calc.add(3, 4);
  same(sum, 7);
  same(await client.calc.addNamed({ b: 4, a: 3 }), 7);
  same(await client.ping(), "pong");
  // By position, and by name as soon as one is left out before another.
  const paths = await client.calc.randomPaths(undefined, 1, 0.5);
  same(paths, [[0, 0.5]]);
  same(await client.calc.randomPathsNamed({ size: 0 }), [[0]]);
  same(client.calc.randomPaths(2, 0).params, [2, 0]);
  same(client.calc.randomPaths(undefined, 2).params, { size: 2 });
  same(client.calc.randomPaths().params, undefined);
  same(await client.page(["a", "b", "c"], undefined, 1), ["b", "c"]);
  same(await client.pageNamed({ words: ["a", "b"], limit: 1 }), ["a"]);
  same(await client.total(1, { x: 2, "y z": 3 }), 6);
  same(await client.totalNamed({ start: 1, x: 2 }), 3);
  same(await client.echo({ a: [1] }), { a: [1] });
  same(
    await Promise.all([1, 2, 3].map((n) => client.calc.add(n, n))),
    [2, 4, 6],
  );

  const refused = await raised(client.calc.divide(1, 0));
  check(refused instanceof RpcError, String(refused));
  same(refused.code, ErrorCode.DivisionByZero);

  await client.calc.add(1, 2).notify();
  const [first, failing, last] = await client.batch(
    [client.calc.add(1, 2), client.calc.divide(1, 0), client.echo("x")],
    { notify: [client.ping()] },
  );
  same(first, { status: "fulfilled", value: 3 });
  check(failing.status === "rejected", "a division by 0 is an error");
  check(failing.reason instanceof RpcError, String(failing.reason));
  same(last, { status: "fulfilled", value: "x" });
  same(await client.batch([]), []);
  same(await client.batch([], { notify: [client.ping()] }), []);
  const long = Array.from({ length: 101 }, () => client.ping());
  check((await raised(client.batch(long))) instanceof RpcError, "too long");

  const controller = new AbortController();
  controller.abort("enough");
  const { signal } = controller;
  same(await raised(client.ping().with({ signal })), "enough");
}

async function shapes({ shapes }: WorkshopClient): Promise<void> {
  const circle: Shape = { kind: "circle", center: { x: 0, y: 0 }, radius: 2 };
  same(await shapes.area(circle), 12);
  same(await shapes.area({ kind: "rectangle", height: 2, width: 3 }), 6);
  same(await shapes.find("red"), null);
  const found = await shapes.findNamed({ color: "green" });
  check(found?.kind === "circle", "a green circle");
  same(found.center, { label: null, x: 1, y: 2 });
  const tree = await shapes.tree(2);
  same(tree.children[0]?.children[1]?.type, "red");
  same(await shapes.follow("stop"), [{ event: "Cleared" }]);
  same(await shapes.follow({ wait: 5 }), [{ data: 5, event: "Waited" }]);
  const [drawn] = await shapes.follow({ draw: { shape: circle } });
  check(drawn?.event === "Drawn" && drawn.data.kind === "circle", "drawn");
  same(await shapes.either([-1, "x"]), [-1, "x"]);
  same((await shapes.drawers.put(circle, 3, true)).drawer, 2);
  same(await shapes.drawers.clear(), null);
  const full = await raised(shapes.drawers.put(circle, 3));
  check(full instanceof RpcError, String(full));
  same(full.code, ErrorCode.DrawerDrawerIsFull);
}

const client = new WorkshopClient(url);
await calls(client);
await shapes(client);
const elsewhere = await raised(new WorkshopClient(`${url}/elsewhere`).ping());
check(elsewhere instanceof TransportError, String(elsewhere));
same(elsewhere.status, 404);
const nobody = await raised(new WorkshopClient("http://127.0.0.1:1").ping());
check(nobody instanceof TransportError, String(nobody));
const short = new WorkshopClient(url, { maxResponse: 10 });
check((await raised(short.ping())) instanceof ProtocolError, "too long");
const silent = new WorkshopClient(url, {
  timeout: 10,
  fetch: (_, init) =>
    new Promise((_resolve, reject) => {
      const { signal } = init ?? {};
      signal?.addEventListener("abort", () => reject(signal.reason));
    }),
});
check((await raised(silent.ping())) instanceof CallTimeoutError, "too late");

// Before version 22 Node.js has it only behind a flag.
if (typeof WebSocket !== "undefined") {
  const socket = new WorkshopClient(url.replace("http", "ws"));
  await calls(socket);
  await shapes(socket);
  const events: string[] = [];
  const failing = (async () => {
    for await (const { event } of socket.shapes.watch("green")) {
      events.push(event);
    }
  })();
  const failed = await raised(failing);
  check(failed instanceof RpcError && failed.code === 9, String(failed));
  same(events, ["Drawn", "Cleared"]);
  const ticks: number[] = [];
  for await (const tick of socket.ticks(3, 1)) ticks.push(tick);
  same(ticks, [1, 2, 3]);
  for await (const tick of socket.ticksNamed({ milliseconds: 1 })) {
    if (tick === 2) break;
  }
  const controller = new AbortController();
  const ended = (async () => {
    const { signal } = controller;
    for await (const tick of socket.ticks(undefined, 1).with({ signal })) {
      if (tick === 2) controller.abort("enough");
    }
  })();
  same(await raised(ended), "enough");
  const refused = (async () => {
    for await (const _ of socket.ticks("x" as unknown as number));
  })();
  check((await raised(refused)) instanceof RpcError, "no number");
  const lagging = new WorkshopClient(url.replace("http", "ws"), { buffer: 1 });
  const late = (async () => {
    for await (const _ of lagging.ticks(undefined, 1)) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  check((await raised(late)) instanceof StreamError, "too slow");
  lagging.close();
  const cut = (async () => {
    for await (const tick of socket.ticks(undefined, 1)) {
      if (tick === 1) socket.close();
    }
  })();
  check((await raised(cut)) instanceof TransportError, "closed");
  same(await socket.ping(), "pong");
  socket.close();
  const absent = new WorkshopClient("ws://127.0.0.1:1");
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const gone = await raised(absent.ping());
    check(gone instanceof TransportError, String(gone));
  }
}
console.log(
  typeof WebSocket === "undefined" ? "done, without WebSocket" : "done",
);
