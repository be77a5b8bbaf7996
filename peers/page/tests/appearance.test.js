// Appearance and accessibility in a browser: themes, contrast, narrow screens, accessible names.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open, startBrowser } from "../lib/browser.js";
import { call, startServer } from "../lib/server.js";

let server;
let browser;
let names;

const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

before(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
  const { result } = await call(server.url, "rpc.discover");
  names = result.methods.map((method) => method.name);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("the theme follows the system until the user chooses one", async () => {
  const shade = (page) =>
    page.evaluate(() =>
      getComputedStyle(document.body)
        .backgroundColor.match(/\d+/g)
        .map(Number)
        .slice(0, 3)
        .reduce((a, b) => a + b),
    );
  for (const colorScheme of ["light", "dark"]) {
    const { page, screenshot, close } = await open(browser, `${server.url}#calc.divide`, { colorScheme });
    const isDark = async () => (await shade(page)) < 300;
    assert.equal(await isDark(), colorScheme === "dark");
    await screenshot(colorScheme);
    await page.locator("#theme").click();
    assert.equal(await isDark(), colorScheme !== "dark");
    await page.reload();
    assert.equal(await isDark(), colorScheme !== "dark");
    await close();
  }
});

test("a phone shows every view without horizontal scrolling", async () => {
  const long = names.find((name) => name.includes("very_long"));
  for (const hash of [
    "",
    "#shop.store",
    "#calc.divide",
    "#server",
    "#~Book",
    `#${long}`,
    "#hostile.script",
  ]) {
    const { page, screenshot, close } = await open(browser, server.url + hash, PHONE);
    if (hash === "#server") await page.locator(".workers tbody tr").first().waitFor();
    else if (hash.startsWith("#shop")) {
      await page.getByLabel("Give book.references", { exact: true }).check();
      await page.getByLabel("Add item to book.references", { exact: true }).click();
    }
    const [width, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(width <= shown, `${hash}: ${width} > ${shown}`);
    await screenshot(`phone${hash.slice(0, 20).replace(/\W+/g, "-")}`);
    await close();
  }
  const { page, close } = await open(browser, server.url, PHONE);
  await page.locator('#side .item[data-name="ping"]').click();
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.locator(".answers .json", { hasText: "pong" }).waitFor();
  await page.getByText("← All methods").click();
  await page.locator('#side .item[data-name="ping"]').waitFor();
  await close();
});

test("every control has an accessible name, and ids are unique", async () => {
  for (const hash of ["#shop.store", "#clock.ticks", "#server"]) {
    const { page, close } = await open(browser, server.url + hash);
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll("button, a, input, select, textarea")]
        .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.length))
        .map((one) => one.outerHTML),
    );
    assert.deepEqual(nameless, []);
    const twice = await page.evaluate(() => {
      const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
      return ids.filter((id, at) => ids.indexOf(id) !== at);
    });
    assert.deepEqual(twice, []);
    await close();
  }
});

test("every text has enough contrast", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const { page, close } = await open(browser, `${server.url}#calc.plus`, { colorScheme });
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.locator(".wrong").first().waitFor();
    const poor = await page.evaluate(contrasts);
    assert.deepEqual(poor, [], colorScheme);
    await close();
  }
});

/** Texts whose contrast is below WCAG level AA. Runs in the page. */
function contrasts() {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = colour
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!hasText || !element.checkVisibility() || element.closest(":disabled, svg")) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))].sort(
      (x, y) => y - x,
    );
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5)
      poor.push(
        `${ratio.toFixed(2)} ${element.tagName}.${element.className} “${element.textContent.slice(0, 30)}”`,
      );
  }
  return poor;
}
