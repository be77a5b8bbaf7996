// The official TypeScript clients, of today and of before, list and call tools: of `antiphon serve --mcp` over
// HTTP, and of `antiphon mcp` over standard input and output in front of a server that knows nothing of agents.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as now from "@modelcontextprotocol/client";
import * as nowStdio from "@modelcontextprotocol/client/stdio";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

import { CALCULATOR, EXAMPLE, TOOL, serve } from "./programs.js";

const ME = { name: "agents", version: "1.0.0" };

/** What both generations do alike. */
async function check(client) {
  const { tools } = await client.listTools();
  const names = tools.map((tool) => tool.name).filter((name) => name.startsWith("calc."));
  assert.deepEqual(names.sort(), CALCULATOR);
  const sum = await client.callTool({ name: "calc.add", arguments: { a: 3, b: 4 } });
  assert.deepEqual(sum.content, [{ type: "text", text: "7.0" }]);
  const failed = await client.callTool({ name: "calc.divide", arguments: { a: 1, b: 0 } });
  assert.equal(failed.isError, true);
  const wrong = await client.callTool({ name: "calc.add", arguments: { a: "x" } });
  assert.equal(wrong.isError, true);
  await assert.rejects(client.callTool({ name: "none", arguments: {} }), /Unknown tool: none/);
}

const GENERATIONS = {
  "the client of before": {
    client: () => new Client(ME),
    http: (url) => new StreamableHTTPClientTransport(url),
    stdio: (program) => new StdioClientTransport(program),
  },
  "the client of today": {
    client: () => new now.Client(ME, { versionNegotiation: { mode: "auto" } }),
    http: (url) => new now.StreamableHTTPClientTransport(url),
    stdio: (program) => new nowStdio.StdioClientTransport(program),
    version: "2026-07-28",
  },
};

for (const [name, generation] of Object.entries(GENERATIONS)) {
  test(`${name} over HTTP`, { timeout: 60_000 }, async (t) => {
    const url = await serve(t, TOOL, "serve", "--mcp");
    const client = generation.client();
    await client.connect(generation.http(new URL(`${url}/mcp`)));
    t.after(() => client.close());
    await check(client);
    if (generation.version) {
      assert.equal(client.getNegotiatedProtocolVersion(), generation.version);
    }
  });

  test(`${name} over standard input and output`, { timeout: 60_000 }, async (t) => {
    const url = await serve(t, TOOL, "serve");
    const client = generation.client();
    await client.connect(generation.stdio({ command: TOOL, args: ["mcp", url] }));
    t.after(() => client.close());
    await check(client);
  });
}

test("the client of today is asked by a result, and calls again", { timeout: 60_000 }, async (t) => {
  const url = await serve(t, EXAMPLE);
  const capabilities = { elicitation: { form: {} } };
  const client = new now.Client(ME, { capabilities, versionNegotiation: { mode: "auto" } });
  let asked = 0;
  client.setRequestHandler("elicitation/create", async (request) => {
    asked += 1;
    assert.equal(request.params.message, "Who?");
    return { action: "accept", content: { username: "ann", email: "ann@example.com" } };
  });
  await client.connect(new now.StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
  t.after(() => client.close());
  const said = await client.callTool({ name: "test_elicitation", arguments: { message: "Who?" } });
  assert.match(said.content[0].text, /action=accept.*ann@example\.com/);
  assert.equal(asked, 1);
});
