// Hostile names, docs and results in a browser, and the content security policy.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, open, startBrowser } from "../lib/browser.js";
import { call, startServer } from "../lib/server.js";

let server;
let browser;
let names;

before(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
  const { result } = await call(server.url, "rpc.discover");
  names = result.methods.map((method) => method.name);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("hostile names, docs and results run no script and break nothing", async () => {
  const { page, screenshot, close } = await open(browser, server.url);
  const hostile = names.filter((name) => name.startsWith("hostile."));
  assert.ok(hostile.length >= 10);
  for (const name of hostile) {
    await page.locator(`#side .item[data-name=${JSON.stringify(name)}]`).click();
    await eventually(name, async () => (await page.locator("article h1").textContent()) === name);
    assert.equal(
      await page.evaluate(
        () =>
          location.hash !== "" &&
          document.querySelectorAll("article img, article script, article a[href^=javascript]").length,
      ),
      0,
    );
    const give = page.getByLabel("Give __proto__", { exact: true });
    if (await give.count()) {
      await give.check();
      await page.getByLabel("__proto__", { exact: true }).fill("</script><img src=x onerror=alert(1)>");
    }
    for (const tab of ["curl", "Rust", "Python", "JavaScript"])
      await page.getByRole("tab", { name: tab }).click();
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.locator(".answers .answer.done .json").waitFor();
    await page.getByRole("button", { name: "Add to batch" }).click();
  }
  await page.getByRole("button", { name: "Send batch" }).click();
  await page.locator(".results").waitFor();
  assert.equal(await page.evaluate(() => ({}).polluted ?? Object.keys(Object.prototype).length), 0);
  await screenshot("hostile");
  // Each of them has a link that works.
  for (const name of hostile) {
    const href = await page.locator(`#side .item[data-name=${JSON.stringify(name)}]`).getAttribute("href");
    await page.goto(server.url + href);
    await page.reload();
    await eventually(name, async () => (await page.locator("article h1").textContent()) === name);
  }
  await close();
});

test("a bidirectional control character does not affect other text", async () => {
  const { page, close } = await open(browser, server.url);
  const reversed = names.find((name) => name.includes("\u202e"));
  await page.locator(`#side .item[data-name=${JSON.stringify(reversed)}]`).click();
  await eventually("it is shown", async () => (await page.locator("article h1").textContent()) === reversed);
  const found = await page.evaluate(() =>
    [...document.querySelectorAll("body *")]
      .filter((element) =>
        [...element.childNodes].some(
          (node) => node.nodeType === Node.TEXT_NODE && node.data.includes("\u202e"),
        ),
      )
      .map((element) => getComputedStyle(element).unicodeBidi),
  );
  assert.ok(found.length >= 4, String(found));
  for (const bidi of found) assert.match(bidi, /isolate/);
  await close();
});

test("the content security policy forbids everything that the page does not need", async () => {
  const response = await fetch(server.url, { headers: { accept: "text/html" } });
  const policy = response.headers.get("content-security-policy");
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
});
