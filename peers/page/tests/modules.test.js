// Unit tests of the modules that run without a browser, and checks of all files of the page.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const PARTS = new URL("../../../crates/antiphon/src/describe/page/", import.meta.url);
const part = (name) => import(new URL(name, PARTS));

// Some modules read this global.
globalThis.location = { protocol: "http:", host: "localhost:8060", pathname: "/api/", hash: "" };

const { ExactNumber, isEqual, parse, stringify } = await part("json.js");
const { countersByMethod, parseMetrics, quantile, rates, sumBuckets } = await part("metrics.js");
const { methodHash, parseRoute, schemaHash } = await part("route.js");
const { Api } = await part("openrpc.js");
const { validate } = await part("validate.js");
const { LANGUAGES, snippet } = await part("snippets.js");

test("parsing and writing JSON changes nothing", () => {
  for (const text of [
    "null",
    "true",
    "-0",
    "1.0",
    "1e400",
    "18446744073709551616",
    '"\\ud800"',
    '"\\u0000"',
    "[]",
    "{}",
    '{"__proto__": 1, "constructor": [1.50, {}]}',
    '["a", {"b": null}]',
  ]) {
    assert.equal(stringify(parse(text)), text, text);
  }
  assert.ok(parse("1.0") instanceof ExactNumber);
  assert.equal(parse(" 1 "), 1);
  assert.equal(Object.getPrototypeOf(parse("{}")), null);
  assert.ok(isEqual(parse('{"a": 1, "b": 2}'), parse('{"b": 2, "a": 1}')));
});

test("invalid JSON is refused with line and column", () => {
  for (const text of [
    "",
    "{",
    "[1,]",
    "{a: 1}",
    "01",
    "1 2",
    '"a',
    "nul",
    "[1 2]",
    '{"a" 1}',
    "\u00a01",
    "'a'",
  ]) {
    assert.throws(() => parse(text), /at line \d+, column \d+/, text);
  }
  assert.throws(() => parse("[".repeat(100_000)), SyntaxError);
});

test("values are validated against schemas", () => {
  const api = new Api(
    parse(`{"methods": [], "components": {"schemas": {
    "Tree": {"type": "object", "required": ["name"], "properties": {
      "name": {"type": "string", "minLength": 1},
      "kids": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}},
    "Circle": {"$ref": "#/components/schemas/Circle"}}}}`),
  );
  const tree = '{"$ref": "#/components/schemas/Tree"}';
  for (const [schema, value, complaint] of [
    [tree, '{"name": "a", "kids": [{"name": "b"}]}', null],
    [tree, '{"name": "a", "kids": [{"name": ""}]}', "kids[0].name must not be empty"],
    [tree, '{"kids": []}', 'lacks "name"'],
    ['{"$ref": "#/components/schemas/Circle"}', "1", null],
    ['{"$ref": "#/components/schemas/__proto__"}', "1", null],
    ["true", "{}", null],
    ["false", "1", "nothing fits here"],
    ['{"type": "integer", "format": "uint64"}', "18446744073709551615", null],
    [
      '{"type": "integer", "format": "uint64"}',
      "18446744073709551616",
      "must be between 0 and 18446744073709551615",
    ],
    ['{"type": "integer", "format": "constructor"}', "1", null],
    ['{"type": "integer"}', "1.0", "must be an integer"],
    ['{"type": ["string", "null"]}', "1", "must be a string or null"],
    [
      '{"type": "array", "items": [{"type": "string"}, {"type": "integer"}], "minItems": 2, "maxItems": 2}',
      '["a", "b"]',
      "[1] must be an integer",
    ],
    ['{"type": "array", "uniqueItems": true}', "[1, 1]", "must not have the same item twice"],
    ['{"enum": ["a", 1]}', '"b"', 'must be one of "a", 1'],
    ['{"oneOf": [{"type": "string"}, {"type": "number"}]}', "null", "fits none of the forms it may have"],
    [
      '{"type": "object", "additionalProperties": {"type": "integer"}}',
      '{"__proto__": "x"}',
      "__proto__ must be an integer",
    ],
    ['{"type": "string", "pattern": "["}', '"x"', null],
    ['{"multipleOf": 0.1}', "0.3", null],
    ['{"exclusiveMaximum": 3}', "3", "must be less than 3"],
  ]) {
    const [first] = validate(api, parse(schema), parse(value));
    assert.equal(first?.message ?? null, complaint, `${schema} ${value}`);
  }
});

test("metrics are parsed, compared and summed up", () => {
  const text = (ones, tens) => `# HELP antiphon_calls_total Calls.
antiphon_calls_total{method="a\\"b\\\\n"} ${ones + tens}
antiphon_errors_total{method="a\\"b\\\\n",code="-32602"} 1
antiphon_errors_total{method="a\\"b\\\\n",code="other"} 2
antiphon_calls_in_flight{method="a\\"b\\\\n"} 3
antiphon_call_seconds_bucket{method="a\\"b\\\\n",le="0.001"} ${ones}
antiphon_call_seconds_bucket{method="a\\"b\\\\n",le="0.01"} ${ones + tens}
antiphon_call_seconds_bucket{method="a\\"b\\\\n",le="+Inf"} ${ones + tens}
nonsense`;
  const before = countersByMethod(parseMetrics(text(100, 0)));
  const now = countersByMethod(parseMetrics(text(100, 10)));
  const [[name, one]] = now;
  assert.equal(name, 'a"b\\n');
  assert.deepEqual([one.calls, one.errors, one.inFlight], [110, 3, 3]);
  assert.ok(quantile(sumBuckets(now), 0.5) < 0.001);
  // The calls since then took longer.
  assert.equal(quantile(sumBuckets(now, before), 0.5).toFixed(6), "0.005500");
  assert.equal(rates(now, before, 2, (figures) => figures.calls).get(name), 5);
  // Counters of a server that has restarted begin at 0.
  assert.equal(rates(before, now, 1, (figures) => figures.calls).get(name), 100);
  assert.ok(Number.isNaN(quantile(new Map(), 0.5)));
  assert.equal(
    quantile(
      new Map([
        [1, 0],
        [Infinity, 5],
      ]),
      0.5,
    ),
    1,
  );
});

test("a URL fragment leads back to the name", () => {
  for (const name of [
    "calc.add",
    "server",
    ":",
    ":server",
    "~x",
    "a/b",
    "%3C",
    "<img>",
    "#",
    "ü",
    "a b",
    "__proto__",
  ]) {
    assert.deepEqual(parseRoute(methodHash(name)), { view: "method", name });
  }
  assert.deepEqual(parseRoute(schemaHash("a/b~c")), { view: "schema", name: "a/b~c" });
  assert.deepEqual(parseRoute("#server"), { view: "server", name: "" });
  assert.deepEqual(parseRoute("#%"), { view: "method", name: "%" });
});

test("snippets escape every name and value in every language", () => {
  const api = new Api({ methods: [{ name: 'it\'s "q" \\ </script>\n', params: [] }] });
  const [method] = api.methods;
  const params = parse('{"a\'b": ["x\\"y\\\\z\\n", null, true, 1.0, "\\u0007"]}');
  const codes = LANGUAGES.map(([language]) => snippet(language, { method, params, isNotification: false }));
  assert.match(codes[0], /it'\\''s/);
  assert.match(codes[1], /"x\\"y\\\\z\\n", null, true, 1\.0, "\\u\{7\}"/);
  assert.match(codes[2], /None, True, 1\.0/);
  assert.match(codes[3], /fetch\("http:\/\/localhost:8060\/api\/"/);
  for (const isNotification of [true, false]) {
    for (const [language] of LANGUAGES)
      assert.ok(snippet(language, { method, params: undefined, isNotification }));
  }
});

test("index.html names every module", () => {
  const html = readFileSync(new URL("index.html", PARTS), "utf8");
  const modules = readdirSync(PARTS).filter((name) => name.endsWith(".js"));
  assert.ok(modules.length > 20);
  for (const name of modules) assert.ok(html.includes(`"assets/${name}"`), name);
});

test("no module imports itself, directly or through others", () => {
  const modules = readdirSync(PARTS).filter((name) => name.endsWith(".js"));
  const imports = new Map(
    modules.map((name) => [name, importsOf(readFileSync(new URL(name, PARTS), "utf8"))]),
  );
  assert.ok(imports.get("main.js").length > 5);
  for (const name of modules) assert.equal(findCircle(imports, [name]), null);
});

test("the page stays small", () => {
  const parts = readdirSync(PARTS).filter((name) => !name.endsWith(".rs"));
  const sizes = parts.map((name) => gzipSync(readFileSync(new URL(name, PARTS)), { level: 9 }).length);
  const all = sizes.reduce((sum, size) => sum + size);
  assert.ok(all < 62 * 1024, `${all} bytes`);
});

/** The modules that a module names in `import` and `export … from`, also in `import()`. */
function importsOf(text) {
  const found = text.matchAll(/\b(?:import|from)\s*\(?\s*["']\.\/([\w.]+)["']/g);
  return [...found].map(([, name]) => name);
}

/** The first circle that the last module of a path leads into, as a text; `null` without one. */
function findCircle(imports, path) {
  for (const next of imports.get(path.at(-1)) ?? []) {
    if (path.includes(next)) return [...path.slice(path.indexOf(next)), next].join(" imports ");
    const found = findCircle(imports, [...path, next]);
    if (found) return found;
  }
  return null;
}
