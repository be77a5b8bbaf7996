// Programs under test: each on a free port, ended with the test that has started it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** The folder in which cargo has put the programs. */
const BUILT = `${process.env.CARGO_TARGET_DIR ?? "../../target"}/debug`;

export const TOOL = `${BUILT}/antiphon`;
export const EXAMPLE = `${BUILT}/examples/mcp`;

/** Starts a server, and waits for its address. */
export async function serve(t, program, ...flags) {
  const server = spawn(program, [...flags, "--bind", "127.0.0.1:0"], { stdio: ["ignore", "ignore", "pipe"] });
  t.after(() => server.kill());
  for await (const line of createInterface({ input: server.stderr })) {
    const [, url] = line.match(/listening on (http:\S+)/) ?? [];
    if (url) {
      server.stderr.resume();
      return url.replace(/\/$/, "");
    }
  }
  return assert.fail(`${program} does not start`);
}

/** Runs a program to its end. */
export async function run(program, ...args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (data) => (out += data));
  child.stderr.on("data", (data) => (err += data));
  const code = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
  return { code, out, err };
}

export const CALCULATOR = ["calc.add", "calc.divide", "calc.multiply", "calc.randompaths", "calc.subtract"];
