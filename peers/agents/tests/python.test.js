// The official Python client, in the version of today and in that of before, over HTTP and over standard input
// and output.

import assert from "node:assert/strict";
import { test } from "node:test";

import { CALCULATOR, TOOL, run, serve } from "./programs.js";

test("the Python client", { timeout: 120_000 }, async (t) => {
  const agents = await serve(t, TOOL, "serve", "--mcp");
  const server = await serve(t, TOOL, "serve");
  const python = process.env.PYTHON ?? "python3";
  const { code, out, err } = await run(python, "tests/client.py", `${agents}/mcp`, TOOL, server);
  assert.equal(code, 0, err);
  const told = out.trim().split("\n").map((line) => JSON.parse(line));
  const expected = (name, version) => ({
    name,
    version,
    tools: CALCULATOR,
    sum: "7.0",
    failed: true,
    unknown: "Unknown tool: none",
  });
  assert.deepEqual(told, [
    expected("http", "2026-07-28"),
    expected("http, before", "2025-11-25"),
    expected("stdio", "2026-07-28"),
    expected("stdio, before", "2025-11-25"),
  ]);
});
