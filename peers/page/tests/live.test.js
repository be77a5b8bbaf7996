// Live items over connections that are cut, and workers that die: the browser's own `EventSource`, the page,
// the example.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { eventually, open, startBrowser } from "../lib/browser.js";
import { startProxy } from "../lib/proxy.js";
import { call, startServer } from "../lib/server.js";

const EXAMPLE = new URL("../../../crates/antiphon/examples/live_page.html", import.meta.url);

let server;
let proxy;
let browser;

before(async () => {
  [server, browser] = await Promise.all([startServer([]), startBrowser()]);
  proxy = await startProxy(server.url);
});
after(async () => {
  await browser?.close();
  await proxy?.close();
  await server?.stop();
});

async function publish(topic, texts, { url } = server) {
  for (const text of texts) {
    const answer = await call(url, "news.publish", [topic, text]);
    assert.equal(typeof answer.result, "number", JSON.stringify(answer));
  }
}

/** Opens a page behind the proxy. */
const visitProxy = (path, body) => visitAnyway(new URL(path, proxy.url).href, body);

/** Opens a page. The browser itself notes each connection that is cut. */
async function visitAnyway(url, body) {
  const opened = await open(browser, url);
  try {
    await body(opened.page);
    const expected = /net::ERR_|status of 404|closed before the connection is established/;
    const rest = opened.problems.filter((problem) => !expected.test(problem));
    assert.deepEqual(rest, []);
  } catch (error) {
    await opened.screenshot("failed");
    error.message += `\n${opened.problems.join("\n")}`;
    throw error;
  } finally {
    await opened.page.context().close();
  }
}

/** Starts an `EventSource` in a page: what it hears is in `window.heard`. */
function listen(page, query) {
  return page.evaluate((fields) => {
    window.heard = [];
    const source = new EventSource(`./?${new URLSearchParams(fields)}`);
    window.source = source;
    source.onopen = () => window.heard.push("open");
    source.addEventListener("response", () => window.heard.push("response"));
    source.onerror = () => window.heard.push(source.readyState === EventSource.CLOSED ? "closed" : "lost");
    source.onmessage = ({ data }) => {
      const { result, missed, end } = JSON.parse(data).params;
      if (missed !== undefined) window.heard.push(`missed ${missed}`);
      window.heard.push(end === undefined ? result : `end ${end}`);
    };
  }, query);
}

const heard = (page) => page.evaluate(() => window.heard);
const items = async (page) =>
  (await heard(page)).filter((one) => !["open", "response", "lost"].includes(one));
const until = (page, last) =>
  eventually(`${last} is heard`, async () => (await heard(page)).at(-1) === last);

test("an EventSource loses nothing when its connection is cut", async () => {
  await visitProxy("", async (page) => {
    const all = Array.from({ length: 12 }, (_, at) => `text ${at}`);
    await listen(page, { method: "news.subscribe", params: JSON.stringify(["cut"]) });
    await until(page, "response");
    // Before there was an item, and behind some.
    for (const start of [0, 4, 8]) {
      proxy.cut();
      await publish("cut", all.slice(start, start + 4));
      await until(page, all[start + 3]);
    }
    assert.deepEqual(await items(page), all);
    const lost = async () => (await heard(page)).filter((one) => one === "lost").length;
    assert.equal(await lost(), 3);
    // Nobody is there for a while.
    await proxy.away();
    await publish("cut", ["while away"]);
    all.push("while away");
    await eventually("two more attempts", async () => (await lost()) >= 5);
    await proxy.back();
    await until(page, "while away");
    assert.deepEqual(await items(page), all);
    // More than the topic keeps.
    const many = Array.from({ length: 25 }, (_, at) => `more ${at}`);
    proxy.cut();
    await publish("cut", many);
    await until(page, many.at(-1));
    assert.deepEqual(await items(page), [...all, "missed 5", ...many.slice(5)]);
  });
});

test("an EventSource is told that the server was started anew", async () => {
  await visitProxy("", async (page) => {
    await listen(page, { method: "news.subscribe", params: JSON.stringify(["anew"]) });
    await until(page, "response");
    await publish("anew", ["before"]);
    await until(page, "before");
    const other = await startServer([]);
    try {
      proxy.turnTo(other.url);
      proxy.cut();
      await publish("anew", ["between"], other);
      await until(page, "between");
      assert.deepEqual(await items(page), ["before", "missed null", "between"]);
    } finally {
      proxy.turnTo(server.url);
      proxy.cut();
      await other.stop();
    }
  });
});

test("a stream that has ended and a method that is none are asked for once", async () => {
  await visitProxy("", async (page) => {
    const requests = [];
    page.on("response", (response) => {
      if (response.url().includes("method=")) requests.push(response.status());
    });
    await listen(page, { method: "clock.ticks", params: JSON.stringify({ period: 1, last: 3 }) });
    await until(page, "closed");
    assert.deepEqual(await items(page), [1, 2, 3, "end complete", "closed"]);
    assert.deepEqual(requests.splice(0), [200, 204]);
    for (const method of ["news.publish", "nothing"]) {
      await listen(page, { method, params: JSON.stringify(["cut", "by GET"]) });
      await until(page, "closed");
      assert.deepEqual(await heard(page), ["closed"]);
      assert.deepEqual(requests.splice(0), [404]);
    }
  });
});

const field = (page, name) => page.getByLabel(name, { exact: true });
const rows = (page) =>
  page
    .locator(".items > li")
    .allTextContents()
    .then((texts) => texts.reverse());

test("the page goes on where its connection was cut, and shows what is missing", async () => {
  await visitProxy("#news.subscribe", async (page) => {
    await field(page, "topic").fill("page");
    await page.getByRole("button", { name: "Subscribe" }).click();
    await page.locator(".state", { hasText: "Live" }).waitFor();
    const shows = (text) => page.locator(".items > li", { hasText: text }).waitFor();
    await publish("page", ["one"]);
    await shows("one");
    proxy.cut();
    await publish("page", ["two", "three"]);
    await shows("three");
    await page.locator(".state", { hasText: "Live" }).waitFor();
    assert.deepEqual(await rows(page), ['1"one"', '2"two"', '3"three"']);
    // More than the topic keeps; the server was not there.
    const other = await startServer([]);
    try {
      proxy.turnTo(other.url);
      proxy.cut();
      await publish("page", ["anew"], other);
      await shows("anew");
      assert.deepEqual((await rows(page)).slice(3), [
        "Items may be missing here: the server does not know them any more",
        '4"anew"',
      ]);
    } finally {
      proxy.turnTo(server.url);
      proxy.cut();
      await other.stop();
    }
    await page.getByRole("button", { name: "Unsubscribe" }).click();
    await page.getByText("You have unsubscribed.").waitFor();
  });
});

test("the page counts what the topic has not kept", async () => {
  const opened = await open(browser, server.url);
  const { page } = opened;
  let connections = 0;
  const afters = [];
  await page.routeWebSocket(/./, (socket) => {
    connections += 1;
    const first = connections === 1;
    socket.onMessage((text) => {
      const { id, after } = JSON.parse(text);
      if (id === "bye") return;
      afters.push(after);
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: "s" }));
      const tell = (params) =>
        socket.send(
          JSON.stringify({
            jsonrpc: "2.0",
            method: "news.subscribe",
            params: { subscription: "s", ...params },
          }),
        );
      if (first) {
        tell({ seq: 1, cursor: "5-1-7", result: "first" });
        tell({ seq: 2, end: "shutdown" });
      } else {
        tell({ seq: 1, missed: 3, cursor: "5-1-b", result: "fifth" });
        tell({ seq: 3, cursor: "5-1-d", result: "seventh" });
        tell({ seq: 4, missed: 2, end: "lagged" });
      }
    });
  });
  await page.goto(`${server.url}#news.subscribe`);
  await page.reload();
  await page.locator(".console").waitFor();
  await field(page, "topic").fill("gaps");
  await page.getByRole("button", { name: "Subscribe" }).click();
  await page.locator(".state", { hasText: "Ended" }).waitFor();
  assert.deepEqual(await rows(page), [
    '1"first"',
    "3 items missing here: the server did not keep them",
    '5"fifth"',
    "1 item missing here: the server dropped them",
    '7"seventh"',
    "2 items missing here: the server did not keep them",
  ]);
  assert.deepEqual(afters, [null, "5-1-7"]);
  assert.match(await page.locator(".live .answer-head").textContent(), /3 items, 6 missing/);
  await opened.close();
});

/** Opens the example, which is served in place of a page of the server. */
async function goToExample(page, url) {
  await page.route("**/live", (route) =>
    route.fulfill({ contentType: "text/html", body: readFileSync(EXAMPLE, "utf8") }),
  );
  await page.goto(new URL("live", url).href);
  await page.locator("#state", { hasText: "live" }).waitFor();
}

const list = (page) =>
  page
    .locator("#list li")
    .allTextContents()
    .then((texts) => texts.reverse());

test("the example shows a list that survives a cut", async () => {
  await visitProxy("", async (page) => {
    await goToExample(page, proxy.url);
    await publish("weather", ["sun"]);
    await page.locator("#list li", { hasText: "sun" }).waitFor();
    proxy.cut();
    await page.locator("#state", { hasText: "reconnecting…" }).waitFor();
    await publish("weather", ["rain", "snow"]);
    await page.locator("#list li", { hasText: "snow" }).waitFor();
    assert.deepEqual(await list(page), ["sun", "rain", "snow"]);
  });
});

test("the example misses nothing when the workers of its server are killed", async () => {
  const other = await startServer();
  const published = [];
  let next = 1;
  /** Publishes the next number. If its worker dies over it, nobody knows whether it was published. */
  const publishNext = async () => {
    const number = `number ${next++}`;
    const answer = await call(other.url, "news.publish", ["weather", number]).catch(() => null);
    if (answer === null) return;
    if (typeof answer.result === "number") published.push(number);
    else assert.match(answer.error.message, /unknown/, JSON.stringify(answer));
  };
  try {
    await visitAnyway(other.url, async (page) => {
      await goToExample(page, other.url);
      await page.evaluate(() => {
        window.lost = 0;
        // The example has declared it.
        source.addEventListener("error", () => (window.lost += 1));
      });
      const [first, second] = other.workers();
      for (const worker of [first, second, null]) {
        for (let count = 0; count < 4; count += 1) await publishNext();
        if (worker !== null) process.kill(worker, "SIGKILL");
        for (let count = 0; count < 6; count += 1) await publishNext();
        const last = published.at(-1);
        await eventually(`${last} is shown`, async () => (await list(page)).includes(last));
        await eventually("two workers serve", () => {
          const workers = other.workers();
          return workers.length === 2 && !workers.includes(worker);
        });
      }
      const shown = await list(page);
      assert.deepEqual(
        shown.filter((text) => published.includes(text)),
        published,
      );
      const numbers = shown.map((text) => Number(/^number (\d+)$/.exec(text)?.[1]));
      assert.deepEqual(
        numbers,
        [...new Set(numbers)].sort((a, b) => a - b),
        shown.join(),
      );
      assert.ok(published.length >= 24, `${published.length} of ${next - 1}`);
      assert.ok((await page.evaluate(() => window.lost)) > 0);
    });
  } finally {
    await other.stop();
  }
});
