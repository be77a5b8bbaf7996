// Methods in a browser: documentation, search, forms, calls, batches, history, code snippets.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { eventually, startBrowser, visit } from "../lib/browser.js";
import { startServer } from "../lib/server.js";

const run = promisify(execFile);

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
  "a method shows its documentation",
  on("#calc.divide", async (page, { screenshot }) => {
    const article = page.locator("article.method");
    assert.equal(await article.locator("h1").textContent(), "calc.divide");
    assert.equal(await page.title(), "calc.divide – Bookshop & Calculator");
    assert.match(await article.textContent(), /The result is rounded to/);
    assert.equal(await article.locator(".prose strong").first().textContent(), "rounded");
    assert.deepEqual(await article.locator(".prose li code").allTextContents(), ["6 / 4", "1.5", "1 / 3"]);
    assert.deepEqual(await article.locator(".params-table dt .name").allTextContents(), ["a", "b"]);
    assert.match(await article.locator("dl.errors").textContent(), /1\{dividend\} cannot be divided by zero/);
    await screenshot("method");
  }),
);

test(
  "schemas open, also one that contains itself",
  on("#shop.store", async (page) => {
    const fold = page.locator(".params-table > dd > .fold");
    await fold.locator("> summary").click();
    await fold.locator("dt", { hasText: "references" }).waitFor();
    assert.match(await fold.textContent(), /As it stands on the cover/);
    for (let depth = 0; depth < 3; depth += 1) {
      const inner = page
        .locator(".params-table .members")
        .nth(depth)
        .locator("> dd")
        .filter({ hasText: "array of Book" });
      await inner.locator("> .entry > .fold > summary").click();
    }
    await eventually(
      "the book in the third book",
      async () => (await page.locator(".params-table .members").count()) === 4,
    );
    await page.locator(".params-table a.type", { hasText: "Book" }).first().click();
    await page.locator("h1", { hasText: /^Book$/ }).waitFor();
    assert.match(await page.locator("article").textContent(), /Used by.*shop\.store/);
  }),
);

test(
  "methods can be searched and reached with the keyboard",
  on("", async (page) => {
    await page.keyboard.press("/");
    await page.keyboard.type("factor");
    await eventually("one method is left", async () => (await page.locator("#side .item").count()) === 1);
    assert.match(await page.locator(".count").textContent(), /^1 of \d+ methods$/);
    await page.keyboard.press("ArrowDown");
    assert.equal(await page.evaluate(() => document.activeElement.dataset.name), "calc.factorial");
    await page.keyboard.press("Enter");
    await page.locator("h1", { hasText: "factorial" }).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.press("Escape");
    await page.keyboard.press("ArrowDown");
    const first = await page.evaluate(() => document.activeElement.dataset.name);
    await page.keyboard.press("ArrowDown");
    assert.notEqual(await page.evaluate(() => document.activeElement.dataset.name), first);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowUp");
    assert.equal(await page.evaluate(() => document.activeElement.type), "search");
  }),
);

test(
  "parameters are sent by name or by position",
  on("#calc.divide", async (page) => {
    const sent = [];
    page.on("request", (request) => request.method() === "POST" && sent.push(request.postDataJSON()));
    await field(page, "a").fill("6");
    await field(page, "b").fill("4");
    await send(page);
    await answer(page).locator(".json", { hasText: "1.5" }).waitFor();
    assert.match(await answer(page).locator(".time").textContent(), /ms|µs|s$/);
    assert.match(await answer(page).locator(".size").textContent(), /^\d+ B$/);
    await page.getByRole("radio", { name: "By position" }).check();
    await field(page, "b").focus();
    await page.keyboard.press("Control+Enter");
    await eventually("the second call was sent", () => sent.length === 2);
    assert.deepEqual(
      sent.map((request) => request.params),
      [{ a: 6, b: 4 }, [6, 4]],
    );
    assert.deepEqual(
      sent.map((request) => request.id !== undefined),
      [true, true],
    );
  }),
);

test(
  "an error is explained",
  on("#calc.divide", async (page) => {
    await field(page, "a").fill("6");
    await field(page, "b").fill("0");
    await send(page);
    await answer(page).locator("strong", { hasText: "Error 1" }).waitFor();
    assert.match(
      await answer(page).textContent(),
      /6 cannot be divided by zero.*Declared by the method.*Nothing can be divided by zero/,
    );
    await page.goto(`${server.url}#calc.factorial`);
    await field(page, "n").fill("200");
    await send(page);
    await answer(page).locator("strong", { hasText: "Error -32602" }).waitFor();
    assert.match(await answer(page).textContent(), /Invalid params.*do not fit/);
  }),
);

test(
  "invalid parameters are not sent",
  on("#calc.factorial", async (page) => {
    let posts = 0;
    page.on("request", (request) => (posts += request.method() === "POST"));
    for (const [typed, complaint] of [
      ["", "must be given"],
      ["x", "must be a number"],
      ["1.5", "must be an integer"],
      ["-1", "must be at least 0"],
      ["256", "must be at most 255"],
    ]) {
      await field(page, "n").fill(typed);
      await send(page);
      const wrong = page.locator(".slot .wrong");
      await wrong.waitFor();
      assert.equal(await wrong.textContent(), complaint, typed);
      assert.equal(await field(page, "n").getAttribute("aria-invalid"), "true");
    }
    assert.equal(posts, 0);
    await field(page, "n").fill("5");
    assert.equal(await page.locator(".slot .wrong").isVisible(), false);
    await send(page);
    await answer(page).locator(".json", { hasText: "120" }).waitFor();
  }),
);

test(
  "objects, arrays, maps, null and optional members can be edited",
  on("#shop.store", async (page) => {
    await field(page, "book.title").fill("Ulysses");
    await field(page, "book.kind").selectOption({ label: "short_stories" });
    await field(page, "Give book.references").check();
    await field(page, "Add item to book.references").click();
    await field(page, "book.references 1.title").fill("Odyssey");
    await field(page, "Give book.references 1.price").check();
    await field(page, "book.references 1.price is null").check();
    await field(page, "Give book.notes").check();
    await field(page, "Add member to book.notes").click();
    await field(page, "Name of member 1 of book.notes").fill("__proto__");
    await field(page, "member 1 of book.notes").fill("a note");
    const reply = page.waitForResponse((response) => response.request().method() === "POST");
    await send(page);
    const { result } = JSON.parse(await (await reply).text());
    const expected = JSON.parse(
      '{"title":"Ulysses","kind":"short_stories","price":null,"references":[{"title":"Odyssey","kind":"novel","price":null,"references":[],"notes":{}}],"notes":{"__proto__":"a note"}}',
    );
    assert.deepEqual(result, expected);
    await page.getByRole("radio", { name: "JSON" }).check();
    const text = field(page, "Parameters as JSON");
    assert.match(await text.inputValue(), /"__proto__": "a note"/);
    await text.fill('{"book": {"title": "T", "kind": "poems"}}');
    await page.getByRole("radio", { name: "Form" }).check();
    assert.equal(await field(page, "book.title").inputValue(), "T");
  }),
);

test(
  "variants are edited as JSON with an initial value",
  on("#shop.find", async (page) => {
    await page.getByRole("button", { name: "price", exact: true }).click();
    await field(page, "search as JSON").fill('{"by": "price", "at_most": "much"}');
    await send(page);
    await page.locator(".slot .wrong").waitFor();
    await field(page, "search as JSON").fill('{"by": "price", "at_most": 800}');
    await send(page);
    await answer(page).locator(".json", { hasText: "Dubliners" }).waitFor();
  }),
);

test(
  "no digit of a number is lost",
  on("#shop.exact", async (page) => {
    await field(page, "number").fill("18446744073709551615");
    await send(page);
    await answer(page).locator(".json", { hasText: "18446744073709551615" }).waitFor();
    await field(page, "number").fill("18446744073709551616");
    await send(page);
    await page.locator(".slot .wrong").waitFor();
  }),
);

test(
  "a notification is sent and not answered",
  on("#calc.add", async (page) => {
    await page.getByRole("radio", { name: "Notification" }).check();
    const request = page.waitForRequest((one) => one.method() === "POST");
    await send(page);
    assert.equal("id" in (await request).postDataJSON(), false);
    await answer(page).locator("strong", { hasText: "Sent" }).waitFor();
  }),
);

test(
  "a batch is collected and answered entry by entry",
  on("#calc.add", async (page) => {
    // The form is filled with the parameters of the example.
    await page.getByRole("button", { name: "Add to batch" }).click();
    await page.goto(`${server.url}#calc.divide`);
    await field(page, "a").fill("1");
    await field(page, "b").fill("0");
    await page.getByRole("button", { name: "Add to batch" }).click();
    await page.goto(`${server.url}#ping`);
    await page.getByRole("radio", { name: "Notification" }).check();
    await page.getByRole("button", { name: "Add to batch" }).click();
    const request = page.waitForRequest((one) => one.method() === "POST");
    await page.getByRole("button", { name: "Send batch" }).click();
    assert.deepEqual(
      (await request).postDataJSON().map((one) => one.method),
      ["calc.add", "calc.divide", "ping"],
    );
    const entries = page.locator(".results > li");
    await entries.first().waitFor();
    const texts = await entries.allTextContents();
    assert.match(texts[0], /calc\.add7/);
    assert.match(texts[1], /calc\.divide error 1/);
    assert.match(texts[2], /never answered/);
    await page.getByRole("button", { name: "Remove ping from the batch" }).click();
    assert.equal(await page.locator(".entries > li").count(), 2);
    await page.getByRole("button", { name: "Clear" }).click();
    assert.equal(await page.locator(".batch").isVisible(), false);
  }),
);

test(
  "a call comes back from the history",
  on("#calc.add", async (page) => {
    await field(page, "a").fill("20");
    await field(page, "b").fill("22");
    await send(page);
    await answer(page).locator(".json", { hasText: "42" }).waitFor();
    await field(page, "a").fill("1");
    await page.goto(`${server.url}#ping`);
    await send(page);
    await answer(page).locator(".json", { hasText: "pong" }).waitFor();
    assert.equal(await page.locator(".past-call").count(), 2);
    await page.locator(".past-call", { hasText: "calc.add" }).click();
    await page.locator("h1", { hasText: "add" }).waitFor();
    assert.equal(await field(page, "a").inputValue(), "20");
  }),
);

test(
  "code snippets follow the form, and run",
  on("#calc.divide", async (page) => {
    const code = page.locator(".code-box pre");
    await field(page, "a").fill("9");
    await field(page, "b").fill("2");
    const codes = {};
    for (const [tab, part] of [
      ["curl", /"params": \{"a": 9, "b": 2\}/],
      ["Rust", /client\.call\("calc\.divide", serde_json::json!\(\{"a": 9, "b": 2\}\)\)/],
      ["Python", /"params": \{"a": 9, "b": 2\}/],
      ["JavaScript", /params: \{"a": 9, "b": 2\}/],
    ]) {
      await page.getByRole("tab", { name: tab }).click();
      codes[tab] = await code.textContent();
      assert.match(codes[tab], part);
    }
    const value = await new (Object.getPrototypeOf(async () => {}).constructor)(
      `${codes.JavaScript}\nreturn result;`,
    )();
    assert.equal(value, 4.5);
    for (const [program, flag, text] of [
      ["sh", "-c", codes.curl],
      ["python3", "-c", codes.Python],
    ]) {
      const { stdout } = await run(program, [flag, text]);
      assert.match(stdout, /4\.5/, program);
    }
  }),
);

test(
  "a long response is shown in part",
  on("#shop.numbers", async (page) => {
    await field(page, "count").fill("2000");
    await send(page);
    await page
      .getByRole("button", { name: /Show more: 1900 left/ })
      .or(page.locator(".json summary"))
      .first()
      .waitFor();
    assert.ok((await page.locator(".json .line").count()) <= 100);
    await field(page, "count").fill("300000");
    await send(page);
    await answer(page)
      .getByText(/The first .* of 1\.9\d MiB/)
      .waitFor();
    assert.ok((await answer(page).textContent()).length < 25_000);
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save" }).click();
    assert.equal((await download).suggestedFilename(), "answer.json");
  }),
);

test(
  "a long string is shown in part until the user asks for the rest",
  on("#echo", async (page) => {
    await field(page, "Give message").check();
    await field(page, "message as JSON").fill(JSON.stringify("x".repeat(5000)));
    await send(page);
    const more = page.getByRole("button", { name: "3002 more characters" });
    await more.waitFor();
    assert.ok((await answer(page).locator(".str").textContent()).length < 2100);
    await more.click();
    assert.equal((await answer(page).locator(".str").textContent()).length, 5002);
  }),
);

test(
  "a slow call can be cancelled",
  on("#clock.sleep", async (page) => {
    await field(page, "milliseconds").fill("20000");
    await send(page);
    await page.getByRole("button", { name: "Cancel" }).click();
    await answer(page).locator("strong", { hasText: "Cancelled" }).waitFor();
  }),
);

test(
  "a deprecated method is marked",
  on("#calc.plus", async (page) => {
    assert.match(await page.locator(".note.warn").textContent(), /Deprecated: use add, which does the same/);
    assert.equal(await page.locator('#side .item[data-name="calc.plus"] .badge').textContent(), "deprecated");
  }),
);
