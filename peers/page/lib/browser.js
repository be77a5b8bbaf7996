// Browser pages that record everything that should not happen.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const SCREENSHOTS = join(dirname(fileURLToPath(import.meta.url)), "../screenshots");

// Timeout of a wait, in milliseconds. It is long enough for a busy machine.
const TIMEOUT = Number(process.env.PAGE_TIMEOUT ?? 20_000);

export async function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
}

/**
 * Opens a page. `problems` collects dialogs, errors, warnings and requests to other hosts. The browser
 * itself notes each response with an error status; those with the statuses `refusals` are expected.
 */
export async function open(browser, url, { refusals = [], ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  const problems = [];
  page.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("pageerror", (error) => problems.push(`error: ${error.message}\n${error.stack}`));
  page.on("console", (message) => {
    const status = Number(/responded with a status of (\d+)/.exec(message.text())?.[1]);
    if (refusals.includes(status)) return;
    if (message.type() === "error" || message.type() === "warning")
      problems.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("request", (request) => {
    const target = new URL(request.url());
    if (!["data:", "blob:"].includes(target.protocol) && target.host !== new URL(url).host)
      problems.push(`request: ${request.url()}`);
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
    problems,
    async screenshot(name) {
      mkdirSync(SCREENSHOTS, { recursive: true });
      await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    },
    /** Closes the page. Fails if there were problems or violations of the content security policy. */
    async close() {
      const violations = await page.evaluate(() => globalThis.violations);
      await context.close();
      assert.deepEqual([...problems, ...violations], []);
    },
  };
}

/** Opens a page, runs a test on it, and closes it, which fails if there were problems. */
export async function visit(browser, url, body, options) {
  const opened = await open(browser, url, options);
  try {
    await body(opened.page, opened);
  } catch (error) {
    await opened.screenshot("failed");
    error.message += `\n${opened.problems.join("\n")}`;
    throw error;
  }
  await opened.close();
}

/**
 * Answers with a file from the folder `PAGE_FILES` instead of the one that was compiled in. The HTML still
 * comes from the server, so that the page has the right origin.
 */
async function fromDisk(route) {
  const response = await route.fetch();
  const name = new URL(route.request().url()).pathname.split("/").at(-1);
  return route.fulfill({ response, body: readFileSync(join(process.env.PAGE_FILES, name)) });
}

/** Waits until a condition holds. */
export async function eventually(what, condition) {
  const end = Date.now() + TIMEOUT;
  for (;;) {
    if (await condition()) return;
    if (Date.now() > end) throw new Error(`it never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
