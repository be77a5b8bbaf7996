// Navigation in a browser: deep links, path prefixes, and the admin token.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser, visit } from "../lib/browser.js";
import { call, startServer } from "../lib/server.js";

let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const on = (hash, body) => () => visit(browser, server.url + hash, body);
const field = (page, name) => page.getByLabel(name, { exact: true });
const send = (page) => page.getByRole("button", { name: "Send", exact: true }).click();
const answer = (page) => page.locator(".console .answer");

test(
  "deep links work, below a path prefix as well",
  on("api/#shop.orders.open", async (page) => {
    await page.locator("h1", { hasText: "shop.orders.open" }).waitFor();
    await send(page);
    await answer(page).locator(".json", { hasText: "3" }).waitFor();
    assert.match(await page.locator(".code-box pre").textContent(), /\/api\/'/);
    await page.goto(`${server.url}api/#clock.ticks`);
    await page.getByRole("button", { name: "Subscribe" }).click();
    await page.locator(".items li").first().waitFor();
    await page.goto(`${server.url}api/#no.such`);
    await page.locator("h1", { hasText: "Not found" }).waitFor();
    await page.goBack();
    await page.locator("h1", { hasText: "clock.ticks" }).waitFor();
  }),
);

test(
  "the token shows admin methods and is not stored anywhere",
  on("", async (page) => {
    assert.equal(await page.locator('#side .item[data-name="kill_actor"]').count(), 0);
    const hidden = await call(server.url, "kill_actor", ["nobody"]);
    assert.equal(hidden.error.code, -32601);
    await page.getByRole("button", { name: "Access" }).click();
    await field(page, "Token").fill(server.token);
    await page.getByRole("button", { name: "Use it" }).click();
    await page.locator('#side .item[data-name="kill_actor"]').waitFor();
    const kept = await page.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]),
    );
    assert.equal(kept.includes(server.token), false);
    await page.goto(`${server.url}#kill_actor`);
    assert.equal((await page.locator(".code-box").textContent()).includes(server.token), false);
    await page.reload();
    await page.locator("h1", { hasText: "Not found" }).waitFor();
  }),
);
