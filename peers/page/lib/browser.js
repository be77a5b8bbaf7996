// A browser, and pages of it that note whatever should not happen.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const SHOTS = join(dirname(fileURLToPath(import.meta.url)), "../screenshots");

// No test has waited so long for something that came.
const PATIENCE = Number(process.env.PAGE_PATIENCE ?? 20_000);

export async function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
}

/** Opens a page. `trouble` collects dialogs, errors, violations of the policy and foreign requests. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const trouble = [];
  page.on("dialog", (dialog) => {
    trouble.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("pageerror", (error) => trouble.push(`error: ${error.message}\n${error.stack}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning")
      trouble.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("request", (request) => {
    const target = new URL(request.url());
    if (!["data:", "blob:"].includes(target.protocol) && target.host !== new URL(url).host)
      trouble.push(`request: ${request.url()}`);
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  if (process.env.PAGE_FILES) await page.route(/\/assets\/[\w.]+$/, fromDisk);
  await page.goto(url);
  await page.locator("#layout[data-view], .empty").first().waitFor({ state: "attached" });
  return {
    page,
    trouble,
    async shot(name) {
      mkdirSync(SHOTS, { recursive: true });
      await page.screenshot({ path: join(SHOTS, `${name}.png`) });
    },
    /** Closes the page, and fails if anything was noted. */
    async close() {
      const violations = await page.evaluate(() => globalThis.violations);
      await context.close();
      assert.deepEqual([...trouble, ...violations], []);
    },
  };
}

/** Opens a page, runs a test on it, and looks whether anything went wrong meanwhile. */
export async function visit(browser, url, body) {
  const opened = await open(browser, url);
  try {
    await body(opened.page, opened);
  } catch (error) {
    await opened.shot("failed");
    error.message += `\n${opened.trouble.join("\n")}`;
    throw error;
  }
  await opened.close();
}

/**
 * For work on the page: its parts as they are in `PAGE_FILES`, not as they were compiled in. The HTML
 * itself comes from the server, or the browser would not know that the page is from this machine.
 */
async function fromDisk(route) {
  const response = await route.fetch();
  const name = new URL(route.request().url()).pathname.split("/").at(-1);
  return route.fulfill({ response, body: readFileSync(join(process.env.PAGE_FILES, name)) });
}

/** Waits until a condition holds, looking again and again. */
export async function eventually(what, condition) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    if (await condition()) return;
    if (Date.now() > end) throw new Error(`it never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
