// Callers who are known and who are not, in a browser: what they see, and why calls are refused.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBrowser, visit } from "../lib/browser.js";
import { startServer } from "../lib/server.js";

const folder = mkdtempSync(join(tmpdir(), "antiphon-tokens-"));
let server;
let browser;

function line(subject, token, scopes) {
  const hash = createHash("sha256").update(token).digest("hex");
  return [subject, hash, ...scopes].join(" ");
}

before(async () => {
  const file = join(folder, "tokens");
  const lines = [line("reader", "reader-token", []), line("solver", "solver-token", ["calc:hard"])];
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  [server, browser] = await Promise.all([startServer(["--auth-tokens", file]), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const on = (hash, body) => () => visit(browser, server.url + hash, body, { refusals: [401, 403] });
const item = (page, name) => page.locator(`#side .item[data-name="${name}"]`);

async function use(page, token) {
  await page.getByRole("button", { name: "Access" }).or(page.locator("#access")).first().click();
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.getByRole("button", { name: "Use it" }).click();
}

test(
  "an anonymous caller sees public methods, a known one all",
  on("", async (page) => {
    await item(page, "ping").waitFor();
    assert.equal(await item(page, "calc.add").count(), 0);
    await use(page, "reader-token");
    await item(page, "calc.add").waitFor();
    await page.goto(`${server.url}#ping`);
    await page.locator(".badge", { hasText: "public" }).first().waitFor();
  }),
);

test(
  "a refused call says why",
  on("", async (page) => {
    await use(page, "reader-token");
    await item(page, "calc.factorial").waitFor();
    await page.evaluate(() => (location.hash = "#calc.factorial"));
    await page.locator(".badge", { hasText: "calc:hard" }).waitFor();
    await page.locator(".note", { hasText: "Callers need the scope calc:hard." }).waitFor();
    await page.getByLabel("n", { exact: true }).fill("5");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    const answer = page.locator(".console .answer");
    await answer.getByText("you lack the scope").waitFor();
    await answer.getByText("calc:hard").first().waitFor();
    await use(page, "solver-token");
    await page.locator(".badge", { hasText: "calc:hard" }).waitFor();
    await page.getByLabel("n", { exact: true }).fill("5");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await answer.locator(".json", { hasText: "120" }).waitFor();
  }),
);

test(
  "a token that the server does not know is told",
  on("", async (page) => {
    await item(page, "ping").waitFor();
    await use(page, "nobody's token");
    await page.getByText("The server does not know this token").waitFor();
    await use(page, "reader-token");
    await item(page, "calc.add").waitFor();
  }),
);
