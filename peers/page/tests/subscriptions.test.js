// Subscriptions in a browser, over WebSockets and event streams.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, open, startBrowser } from "../lib/browser.js";
import { startServer } from "../lib/server.js";

let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const field = (page, name) => page.getByLabel(name, { exact: true });
const subscribe = (page) => page.getByRole("button", { name: "Subscribe" }).click();
const items = (page) => page.locator(".items > li");

async function fill(page, { period, last }) {
  await field(page, "Give period").check();
  await field(page, "period").fill(String(period));
  if (last === undefined) return;
  await field(page, "Give last").check();
  await field(page, "last").fill(String(last));
}

test("items arrive until the user unsubscribes", async () => {
  const { page, screenshot, close } = await open(browser, `${server.url}#clock.ticks`);
  const frames = [];
  page.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => frames.push(["out", JSON.parse(payload)]));
    socket.on("framereceived", ({ payload }) => frames.push(["in", JSON.parse(payload)]));
  });
  await fill(page, { period: 20 });
  await subscribe(page);
  await eventually("ten items", async () => (await items(page).count()) >= 10);
  assert.equal(await page.locator(".state").textContent(), "Live");
  await screenshot("stream");
  await page.getByRole("button", { name: "Unsubscribe" }).click();
  await page.getByText("You have unsubscribed.").waitFor();
  assert.ok(frames.some(([way, frame]) => way === "out" && frame.method === "rpc.unsubscribe"));
  assert.ok(frames.some(([way, frame]) => way === "in" && frame.params?.end === "unsubscribed"));
  await close();
});

test("the list is bounded, the end is shown, and no item is missing", async () => {
  const { page, close } = await open(browser, `${server.url}#clock.ticks`);
  await fill(page, { period: 1, last: 120 });
  await subscribe(page);
  await page.getByText("The stream has come to its end.").waitFor();
  assert.match(await page.locator(".live .answer-head").textContent(), /120 items, the last 50 shown/);
  assert.equal(await items(page).count(), 50);
  assert.equal(await items(page).first().locator(".json").textContent(), "120");
  await close();
});

test("a gap in the items is shown", async () => {
  const opened = await open(browser, server.url);
  const { page } = opened;
  await page.routeWebSocket(/./, (socket) => {
    socket.onMessage((text) => {
      const { id } = JSON.parse(text);
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: "s" }));
      const tell = (params) =>
        socket.send(
          JSON.stringify({ jsonrpc: "2.0", method: "clock.ticks", params: { subscription: "s", ...params } }),
        );
      tell({ seq: 1, result: "first" });
      tell({ seq: 5, result: "fifth" });
      tell({ seq: 6, end: "lagged" });
    });
  });
  await page.goto(`${server.url}#clock.ticks`);
  await page.reload();
  await page.locator(".console").waitFor();
  await subscribe(page);
  await page.getByText("3 items missing here").waitFor();
  await page.getByText(/did not take the items fast enough/).waitFor();
  await opened.close();
});

test("with the token items arrive over an event stream", async () => {
  const { page, problems, close } = await open(browser, `${server.url}#clock.ticks`);
  let sockets = 0;
  page.on("websocket", () => (sockets += 1));
  await page.getByRole("button", { name: "Access" }).click();
  await field(page, "Token").fill(server.token);
  await page.getByRole("button", { name: "Use it" }).click();
  await page.locator('#side .item[data-name="kill_actor"]').waitFor();
  await fill(page, { period: 10, last: 5 });
  await subscribe(page);
  await page.getByText("The stream has come to its end.").waitFor();
  assert.equal(await items(page).count(), 5);
  assert.equal(sockets, 0);
  assert.deepEqual(problems, []);
  await close();
});

test("a subscription continues while another method is shown", async () => {
  const { page, close } = await open(browser, `${server.url}#clock.ticks`);
  await fill(page, { period: 10 });
  await subscribe(page);
  await items(page).first().waitFor();
  await page.goto(`${server.url}#ping`);
  await page.locator("h1", { hasText: "ping" }).waitFor();
  await page.goto(`${server.url}#clock.ticks`);
  assert.equal(await page.locator(".state").textContent(), "Live");
  await page.getByRole("button", { name: "Unsubscribe" }).click();
  await page.getByText("You have unsubscribed.").waitFor();
  await close();
});
