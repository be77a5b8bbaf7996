// Measurement of the page: size of each file, time until the first paint.
//
//     node measure.js [RUNS]

import { gzipSync } from "node:zlib";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startBrowser } from "./lib/browser.js";
import { startServer } from "./lib/server.js";

const PARTS = join(dirname(fileURLToPath(import.meta.url)), "../../crates/antiphon/src/describe/page");
const RUNS = Number(process.argv[2] ?? 15);

const sizes = readdirSync(PARTS)
  .filter((name) => !name.endsWith(".rs"))
  .map((name) => {
    const text = readFileSync(join(PARTS, name));
    return { name, bytes: text.length, gzip: gzipSync(text, { level: 9 }).length };
  });
const total = sizes.reduce((all, one) => ({
  name: "all",
  bytes: all.bytes + one.bytes,
  gzip: all.gzip + one.gzip,
}));
console.table([...sizes, total]);

const server = await startServer();
const browser = await startBrowser();
const paints = { cold: [], warm: [] };
const methods = { cold: [], warm: [] };
for (let run = 0; run < RUNS; run += 1) {
  const context = await browser.newContext();
  for (const kind of ["cold", "warm"]) {
    const page = await context.newPage();
    await page.goto(`${server.url}#calc.add`);
    await page.locator(".console").waitFor();
    const [paint, shown] = await page.evaluate(async () => {
      const entry = await new Promise((resolve) => {
        const look = () => {
          const [found] = performance.getEntriesByName("first-contentful-paint");
          if (found) resolve(found);
          else requestAnimationFrame(look);
        };
        look();
      });
      const [document_] = performance
        .getEntriesByType("resource")
        .filter((one) => one.name.endsWith("openrpc.json"));
      return [entry.startTime, document_.responseEnd];
    });
    paints[kind].push(paint);
    methods[kind].push(shown);
    await page.close();
  }
  await context.close();
}
await browser.close();
await server.stop();

const spread = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => Math.round(sorted[Math.floor((sorted.length - 1) * share)]);
  return { least: at(0), median: at(0.5), most: at(1) };
};
console.log(`milliseconds, ${RUNS} runs each`);
console.table({
  "first contentful paint, cold": spread(paints.cold),
  "first contentful paint, warm": spread(paints.warm),
  "description loaded, cold": spread(methods.cold),
  "description loaded, warm": spread(methods.warm),
});
