// Tokens of a generated client, against a server that knows those that end with an even digit.

import {
  type ClientOptions,
  RpcError,
  TransportError,
  WorkshopClient,
} from "../generated/workshop.js";

const url = process.argv[2] ?? "";

function check(truth: boolean, what: string): asserts truth {
  if (!truth) throw new Error(`not so: ${what}`);
}

async function raised(call: PromiseLike<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("no error");
}

function unknown(error: unknown): void {
  check(error instanceof RpcError && error.code === -32006, `${error}`);
}

/** Gives `a1`, `a2` and so on. */
class Issuer {
  asked = 0;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  readonly give = async (): Promise<string> => {
    this.asked += 1;
    const token = `${this.name}${this.asked}`;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return token;
  };
}

async function tokens(url: string): Promise<void> {
  const with_ = async (
    options: ClientOptions,
    work: (client: WorkshopClient) => Promise<void>,
  ) => {
    const client = new WorkshopClient(url, options);
    await work(client);
    client.close();
  };
  await with_({}, async (client) => unknown(await raised(client.ping())));
  await with_({ token: "a2" }, async (client) => {
    check((await client.calc.add(3, 4)) === 7, "a token is sent");
    const [one] = await client.batch([client.ping()]);
    check(one.status === "fulfilled", "a batch has the token");
    await client.ping().notify();
  });
  await with_({ token: "a1" }, async (client) => {
    unknown(await raised(client.ping()));
    unknown(await raised(client.batch([client.ping()])));
  });
  for (const calls of [1, 50]) {
    const issuer = new Issuer("a");
    await with_({ token: issuer.give }, async (client) => {
      const all = Array.from({ length: calls }, () => client.ping().send());
      for (const said of await Promise.all(all)) check(said === "pong", said);
      check(issuer.asked === 2, `${issuer.asked} of 2 questions`);
      await client.ping();
      check(issuer.asked === 2, "a good token is kept");
    });
  }
  // Refused twice; the next call asks again.
  const odd = { asked: 0 };
  const token = () => `b${2 * ++odd.asked + 1}`;
  await with_({ token }, async (client) => {
    unknown(await raised(client.ping()));
    check(odd.asked === 2, `${odd.asked} of 2 questions`);
  });
  let down = true;
  const sometimes = () => {
    if (down) throw new Error("the issuer sleeps");
    return "a2";
  };
  await with_({ token: sometimes }, async (client) => {
    const error = await raised(client.ping());
    check(error instanceof TransportError, `${error}`);
    check(error.message.includes("there is no token"), error.message);
    check(error.cause instanceof Error, "the cause is told");
    down = false;
    // A WebSocket is closed first.
    await new Promise((resolve) => setTimeout(resolve, 100));
    check((await client.ping()) === "pong", "it is asked again");
  });
  await with_({ token: "S3CR3T\n2" }, async (client) => {
    const error = await raised(client.ping());
    check(!String(error).includes("S3CR3T"), "an error shows a token");
  });
  // Taken back while the connection lives.
  const brief = new Issuer("brief");
  await with_({ token: brief.give }, async (client) => {
    await client.ping();
    const before = brief.asked;
    await new Promise((resolve) => setTimeout(resolve, 700));
    const all = Array.from({ length: 5 }, () => client.ping().send());
    const ended = await Promise.allSettled(all);
    const isWeb = url.startsWith("ws");
    if (isWeb) {
      // The next one is odd.
      for (const one of ended) check(one.status === "rejected", "odd");
      check(brief.asked === before + 1, `${brief.asked}`);
      await client.ping();
      check(brief.asked === before + 2, `${brief.asked}`);
    } else {
      // The server looks at the token of each request anew.
      for (const one of ended) check(one.status === "fulfilled", "even");
    }
  });
  try {
    const headers = { Authorization: "x" };
    new WorkshopClient(url, { token: "a2", headers });
    check(false, "two of them");
  } catch (error) {
    check(error instanceof TypeError, `${error}`);
  }
}

await tokens(url);
await tokens(url.replace("http", "ws"));
console.log("done");
