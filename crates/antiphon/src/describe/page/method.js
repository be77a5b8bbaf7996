// What the document says of one method, of one schema, and of all methods together.

import { h } from "./dom.js";
import { jsonView } from "./highlight.js";
import { write } from "./json.js";
import { prose, spans } from "./markdown.js";
import { text } from "./openrpc.js";
import { methodHash } from "./route.js";
import { hasParts, restrictions, schemaFold, schemaParts, typeLine } from "./schema.js";

const ACCESS = new Map([
  ["admin", "For callers with the admin token only."],
  ["local", "For callers on the server's machine, and those with the admin token, only."],
]);

/** The documentation of a method. `fillIn` gets the parameters of an example. */
export function methodView(api, method, fillIn) {
  const prefix = method.name.slice(0, method.name.length - method.short.length);
  return h(
    "article.method",
    h("h1", prefix && h("span.prefix", prefix), method.short),
    h(
      "p.badges",
      method.stream && h("span.badge", "stream"),
      method.deprecated && h("span.badge.warn", "deprecated"),
      method.access && h("span.badge", method.access),
    ),
    method.deprecated && h("p.note.warn", "Deprecated", method.reason ? [": ", spans(method.reason)] : "."),
    ACCESS.has(method.access) && h("p.note", ACCESS.get(method.access)),
    method.doc ? prose(method.doc) : h("p.dim", "Nobody has described it."),
    parameters(api, method),
    result(api, method),
    errors(method),
    examples(method, fillIn),
  );
}

function parameters(api, method) {
  const rest = method.rest;
  if (!method.params.length && rest === undefined) return [h("h2", "Parameters"), h("p.dim", "None.")];
  return [
    h("h2", "Parameters"),
    h(
      "dl.params-table",
      method.params.map((param) => [
        h(
          "dt",
          h("code.name", param.name),
          h(param.required ? "span.must" : "span.dim", param.required ? "required" : "optional"),
        ),
        h(
          "dd",
          h(
            "div",
            param.unknown && param.schema === true ? h("span.type", "anything") : typeLine(api, param.schema),
            restrictions(param.schema),
          ),
          param.doc && prose(param.doc),
          schemaFold(api, param.schema),
        ),
      ]),
      rest !== undefined && [
        h("dt", h("span.dim", "further parameters")),
        h("dd", typeLine(api, rest), schemaFold(api, rest)),
      ],
    ),
    method.structure === "by-name" && h("p.dim", "By name only."),
  ];
}

function result(api, method) {
  const shown = method.stream ? method.stream.item : method.result;
  return [
    h("h2", method.stream ? "Items" : "Result"),
    h("div", typeLine(api, shown.schema), restrictions(shown.schema)),
    shown.doc && prose(shown.doc),
    schemaFold(api, shown.schema),
    method.stream &&
      h(
        "p.dim",
        "The call answers with the id of a subscription. Items follow as notifications named ",
        h("code", method.stream.notification),
        "; ",
        h("code", method.stream.unsubscribe),
        " ends it.",
      ),
  ];
}

function errors(method) {
  if (!method.errors.length) return null;
  return [
    h("h2", "Errors"),
    h(
      "dl.errors",
      method.errors.map((error) => [
        h("dt", h("code", error.code)),
        h("dd", spans(error.message), error.doc && prose(error.doc)),
      ]),
    ),
  ];
}

/** The parameters of an example by name, in the order of the method. */
export function exampleParams(method, example) {
  const given = new Map(
    (Array.isArray(example.params) ? example.params : []).map((param) => [
      text(param?.name),
      param?.value ?? null,
    ]),
  );
  const known = method.params.map((param) => param.name).filter((name) => given.has(name));
  const object = Object.create(null);
  for (const name of new Set([...known, ...given.keys()])) object[name] = given.get(name);
  return object;
}

function examples(method, fillIn) {
  if (!method.examples.length) return null;
  return [
    h("h2", "Examples"),
    method.examples.slice(0, 20).map((example) => {
      const params = exampleParams(method, example);
      const has = example.result && "value" in example.result;
      return h(
        "div.example",
        h(
          "pre.code",
          { tabindex: 0 },
          `${method.name}(${inside(params)})${has ? ` → ${write(example.result.value, 60)}` : ""}`,
        ),
        h("button.quiet.small", { type: "button", onclick: () => fillIn(params) }, "Fill in"),
      );
    }),
  ];
}

function inside(params) {
  return Object.keys(params)
    .map((name) => `${name}: ${write(params[name], 60)}`)
    .join(", ");
}

/** A schema of the document by its name. */
export function schemaView(api, name) {
  const ref = Object.assign(Object.create(null), {
    $ref: `#/components/schemas/${name.replace(/~/g, "~0").replace(/\//g, "~1")}`,
  });
  if (!Object.hasOwn(api.schemas, name)) return missing(`There is no schema “${name}”.`);
  const users = api.users(name);
  return h(
    "article.method",
    h("p.kicker", "Schema"),
    h("h1", name),
    h("div.schema.open", hasParts(api, ref) ? schemaParts(api, ref) : typeLine(api, api.schemas[name])),
    users.length > 0 && [
      h("h2", "Used by"),
      h(
        "ul.plain",
        users.map((method) => h("li", h("a", { href: methodHash(method.name) }, h("code", method.name)))),
      ),
    ],
    h("h2", "JSON Schema"),
    jsonView(write(api.schemas[name], 60)),
  );
}

/** What stands where there is nothing else. */
export function missing(message) {
  return h(
    "article.method",
    h("h1", "Not found"),
    h("p", message),
    h("p", h("a", { href: "#" }, "All methods")),
  );
}

/** A router without docs is described by its name, which stands above already. */
function isTelling({ name, description }) {
  return description !== "" && description.toLowerCase() !== name.toLowerCase().split(/[^\w]/).at(-1);
}

/** The beginning: what the server is, and all its namespaces. */
export function overview(api) {
  const groups = api.groups();
  return h(
    "article.overview",
    h("h1", api.title, api.version && h("span.version", api.version)),
    api.description && h("div.intro", prose(api.description)),
    !api.methods.length && h("p.empty", "There are no methods that you may see."),
    groups.map((group) => [
      group.name !== "" && h("h2", group.name),
      isTelling(group) && prose(group.description),
      h(
        "dl.index",
        group.methods
          .slice(0, 500)
          .map((method) => [
            h(
              `dt${method.deprecated ? ".old" : ""}`,
              h("a", { href: methodHash(method.name) }, h("code", method.short)),
            ),
            h("dd", method.summary ? spans(method.summary) : h("span.dim", "–")),
          ]),
      ),
    ]),
  );
}
