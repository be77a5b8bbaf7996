// Server dashboard in a browser: workers, plots, ending a worker.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, open, startBrowser } from "../lib/browser.js";
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

const rows = (page) => page.locator(".workers tbody tr");

/** The sum of a column over all workers. */
async function sum(page, label) {
  const texts = await page.locator(`.workers td[data-label="${label}"]`).allTextContents();
  return texts.reduce((all, text) => all + Number(text.replaceAll(",", "")), 0);
}

test("the table and the plots show the load", async () => {
  const { page, screenshot, close } = await open(browser, `${server.url}#server`);
  await eventually("two workers", async () => (await rows(page).count()) === 2);
  const before = await sum(page, "Calls");
  let isOn = true;
  const load = (async () => {
    while (isOn) {
      await call(server.url, "calc.add", [1, 2]);
      await call(server.url, "calc.divide", [1, 0]);
    }
  })();
  await eventually("calls are counted", async () => (await sum(page, "Calls")) > before + 20);
  await eventually("errors are told by method", async () =>
    /calc\.divide/.test(await page.locator(".plots").textContent()),
  );
  await eventually("latency is plotted", async () =>
    /p99 *\d/.test(await page.locator(".plots").textContent()),
  );
  const rate = page.locator(".plot", { hasText: "Calls per second" }).locator(".big");
  await eventually(
    "calls per second",
    async () => Number((await rate.textContent()).replaceAll(",", "")) > 0,
  );
  assert.ok((await page.locator(".plot path.line").first().getAttribute("d")).startsWith("M"));
  await page.locator("table", { hasText: "p50" }).getByText("calc.add").waitFor();
  await screenshot("server");
  isOn = false;
  await load;
  await close();
});

test("without the token workers cannot be ended", async () => {
  const { page, close } = await open(browser, `${server.url}#server`);
  await eventually("two workers", async () => (await rows(page).count()) === 2);
  assert.equal(await page.getByRole("button", { name: /^End worker/ }).count(), 0);
  await page.getByRole("button", { name: "Access" }).click();
  await page.getByLabel("Token", { exact: true }).fill("not the token");
  await page.getByRole("button", { name: "Use it" }).click();
  await page.getByRole("button", { name: "No admin methods" }).waitFor();
  assert.equal(await page.getByRole("button", { name: /^End worker/ }).count(), 0);
  await close();
});

test("with the token a worker can be ended, and is replaced", async () => {
  const { page, close } = await open(browser, `${server.url}#server`);
  await page.getByRole("button", { name: "Access" }).click();
  await page.getByLabel("Token", { exact: true }).fill(server.token);
  await page.getByRole("button", { name: "Use it" }).click();
  await eventually(
    "buttons for both",
    async () => (await page.getByRole("button", { name: /^End worker/ }).count()) === 2,
  );
  const ids = await rows(page).evaluateAll((all) => all.map((row) => row.dataset.worker));
  const button = page.getByRole("button", { name: `End worker ${ids[0]}` });
  await button.click();
  await page.getByRole("button", { name: "Leave it" }).click();
  assert.equal(await rows(page).count(), 2);
  await button.click();
  await page.getByRole("button", { name: "End it" }).click();
  await eventually("another worker", async () => {
    const now = await rows(page).evaluateAll((all) => all.map((row) => row.dataset.worker));
    return !now.includes(ids[0]) && now.length === 2;
  });
  await page.getByText(`Worker ${ids[0]} was ended.`).first().waitFor();
  await close();
});

test("a server that does not answer is reported until it is back", async () => {
  const other = await startServer();
  const opened = await open(browser, `${other.url}#server`);
  const { page } = opened;
  await eventually("two workers", async () => (await rows(page).count()) === 2);
  await page.route(/.*/, (route) => route.abort());
  await page.getByText("The server does not answer. Asking again…").waitFor();
  await page.unroute(/.*/);
  await eventually(
    "it is back",
    async () => (await page.getByText("The server does not answer").count()) === 0,
  );
  // The browser has logged the failed requests.
  opened.problems.length = 0;
  await opened.close();
  await other.stop();
});

test("a gateway shows its servers, and whose a method is", async () => {
  const there = await startServer([]);
  const gateway = await startServer([], { PAGE_UPSTREAM: there.url.replace("http:", "ws:") });
  const { page, close } = await open(browser, `${gateway.url}#server`);
  const servers = page.locator(".upstreams tbody tr");
  await eventually("one is up, one is not", async () => {
    const texts = await servers.allTextContents();
    return texts.length === 2 && texts[0].includes("up") && texts[1].includes("left out");
  });
  await page.goto(`${gateway.url}#far.calc.add`);
  await page.locator(".badge", { hasText: "served by far" }).waitFor();
  await close();
  await gateway.stop();
  await there.stop();
});

test("without workers and metrics there is one row, and the plots use server_info", async () => {
  const alone = await startServer(["--metrics", "false"]);
  const opened = await open(browser, `${alone.url}#server`);
  const { page } = opened;
  await eventually("a row", async () => (await rows(page).count()) === 1);
  assert.equal(await page.locator('.workers td[data-label="Worker"]').textContent(), "arbiter");
  const rate = page.locator(".plot", { hasText: "Calls per second" }).locator(".big");
  await eventually("its own calls are seen", async () => Number(await rate.textContent()) > 0);
  assert.equal(await page.locator(".plot", { hasText: "Latency" }).isVisible(), false);
  // The missing metrics are the only problem.
  const others = opened.problems.filter((text) => !/404.*\/metrics$/.test(text));
  opened.problems.length = 0;
  opened.problems.push(...others);
  await opened.close();
  await alone.stop();
});

test("a dashboard that is not visible does not poll", async () => {
  const { page, close } = await open(browser, `${server.url}#server`);
  await rows(page).first().waitFor();
  await page.goto(`${server.url}#ping`);
  await page.locator("h1", { hasText: "ping" }).waitFor();
  let asked = 0;
  page.on("request", () => (asked += 1));
  await page.waitForTimeout(2500);
  // One request may have been on its way.
  assert.ok(asked <= 1, `${asked} requests`);
  await close();
});
