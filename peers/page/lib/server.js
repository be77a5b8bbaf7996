// Server under test: the program in `subject/`, by default with two workers and an admin token.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));

// Timeout of a start, in milliseconds. It is long enough for a busy machine.
const TIMEOUT = 60_000;

/** Path of the program: `PAGE_SUBJECT`, or built with Cargo. */
function program() {
  if (process.env.PAGE_SUBJECT) return process.env.PAGE_SUBJECT;
  const args = ["build", "--package", "page_subject", "--message-format", "json-render-diagnostics"];
  const built = spawnSync("cargo", args, {
    cwd: join(HERE, "../.."),
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (built.status !== 0) throw new Error("the subject was not built");
  const messages = built.stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  return messages.findLast((message) => message.executable && message.target?.name === "page_subject")
    .executable;
}

let path = null;

/**
 * Starts a server: `{ url, token, workers(), stop() }`. It has two workers unless `extra` has other arguments;
 * `workers()` are their process ids. `variables` are added to its environment.
 */
export async function startServer(extra = ["--workers", "2"], variables = {}) {
  path ??= program();
  const folder = mkdtempSync(join(tmpdir(), "antiphon-page-"));
  const file = join(folder, "token");
  const args = ["--bind", "127.0.0.1:0", "--admin-token-file", file, ...extra];
  const child = spawn(path, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...variables },
  });
  let log = "";
  const url = await new Promise((resolve, reject) => {
    const clock = setTimeout(() => reject(new Error(`no server:\n${log}`)), TIMEOUT);
    child.stderr.setEncoding("utf8").on("data", (text) => {
      log = (log + text).slice(-100_000);
      const found = log.match(/http:\/\/127\.0\.0\.1:[1-9]\d*/);
      if (found) {
        clearTimeout(clock);
        resolve(`${found[0]}/`);
      }
    });
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}:\n${log}`)));
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  await untilReady(url);
  return {
    url,
    token: readFileSync(file, "utf8").trim(),
    workers() {
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
      return children.trim().split(" ").filter(Boolean).map(Number);
    },
    async stop() {
      child.kill("SIGTERM");
      const clock = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(clock);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilReady(url) {
  const end = Date.now() + TIMEOUT;
  for (;;) {
    const reached = await fetch(new URL("openrpc.json", url)).then(
      (response) => response.ok,
      () => false,
    );
    if (reached) return;
    if (Date.now() > end) throw new Error("the server does not answer");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Calls a method without the browser. Returns the decoded response. */
export async function call(url, method, params, headers = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  return response.json();
}
