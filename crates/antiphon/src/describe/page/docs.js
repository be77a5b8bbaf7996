// Documentation views: a method, a schema, the overview.

import { h } from "./dom.js";
import { stringify } from "./json.js";
import { jsonView } from "./json_view.js";
import { renderBlocks, renderInline } from "./markdown.js";
import { asText } from "./openrpc.js";
import { methodHash } from "./route.js";
import { constraintsView, hasParts, schemaDetails, schemaParts, typeLine } from "./schema_view.js";

const ACCESS_NOTES = new Map([
  ["admin", "For callers with the admin token only."],
  ["local", "For callers on the server's machine, and those with the admin token, only."],
]);

/** The documentation of a method. `fillIn(params)` is called when the user picks an example. */
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
      method.isPublic && h("span.badge", { title: "Callers need not be known" }, "public"),
      method.isReadOnly && h("span.badge", { title: "It changes nothing" }, "read-only"),
      method.isIdempotent &&
        !method.isReadOnly &&
        h("span.badge", { title: "A call may be repeated" }, "idempotent"),
      method.servedBy &&
        h("span.badge", { title: "The servers that it is forwarded to" }, `served by ${method.servedBy}`),
      method.scopes.map((scope) => h("span.badge", { title: "A scope that callers need" }, scope)),
    ),
    method.deprecated &&
      h("p.note.warn", "Deprecated", method.reason ? [": ", renderInline(method.reason)] : "."),
    ACCESS_NOTES.has(method.access) && h("p.note", ACCESS_NOTES.get(method.access)),
    method.scopes.length > 0 && h("p.note", scopesNote(method.scopes)),
    method.doc ? renderBlocks(method.doc) : h("p.dim", "Nobody has described it."),
    paramsSection(api, method),
    resultSection(api, method),
    errorsSection(method),
    examplesSection(method, fillIn),
  );
}

/** Which scopes callers need. */
function scopesNote(scopes) {
  const names = scopes.map((scope, at) => [at > 0 && ", ", h("code", scope)]);
  return [scopes.length > 1 ? "Callers need the scopes " : "Callers need the scope ", names, "."];
}

function paramsSection(api, method) {
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
            constraintsView(param.schema),
          ),
          param.doc && renderBlocks(param.doc),
          schemaDetails(api, param.schema),
        ),
      ]),
      rest !== undefined && [
        h("dt", h("span.dim", "further parameters")),
        h("dd", typeLine(api, rest), schemaDetails(api, rest)),
      ],
    ),
    method.structure === "by-name" && h("p.dim", "By name only."),
  ];
}

function resultSection(api, method) {
  const shown = method.stream ? method.stream.item : method.result;
  return [
    h("h2", method.stream ? "Items" : "Result"),
    h("div", typeLine(api, shown.schema), constraintsView(shown.schema)),
    shown.doc && renderBlocks(shown.doc),
    schemaDetails(api, shown.schema),
    method.stream &&
      h(
        "p.dim",
        "The call answers with the id of a subscription. Items follow as notifications named ",
        h("code", method.stream.notification),
        "; ",
        h("code", method.stream.unsubscribe),
        " ends it.",
        method.stream.resumes && [
          " Each has a ",
          h("code", "cursor"),
          ", behind which a request with the member ",
          h("code", "after"),
          " goes on.",
        ],
      ),
  ];
}

function errorsSection(method) {
  if (!method.errors.length) return null;
  return [
    h("h2", "Errors"),
    h(
      "dl.errors",
      method.errors.map((error) => [
        h("dt", h("code", error.code)),
        h("dd", renderInline(error.message), error.doc && renderBlocks(error.doc)),
      ]),
    ),
  ];
}

/** The parameters of an example by name, in the order in which the method declares them. */
export function exampleParams(method, example) {
  const given = new Map(
    (Array.isArray(example.params) ? example.params : []).map((param) => [
      asText(param?.name),
      param?.value ?? null,
    ]),
  );
  const known = method.params.map((param) => param.name).filter((name) => given.has(name));
  const object = Object.create(null);
  for (const name of new Set([...known, ...given.keys()])) object[name] = given.get(name);
  return object;
}

function examplesSection(method, fillIn) {
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
          `${method.name}(${argumentText(params)})${has ? ` → ${stringify(example.result.value, 60)}` : ""}`,
        ),
        h("button.quiet.small", { type: "button", onclick: () => fillIn(params) }, "Fill in"),
      );
    }),
  ];
}

function argumentText(params) {
  return Object.keys(params)
    .map((name) => `${name}: ${stringify(params[name], 60)}`)
    .join(", ");
}

/** The documentation of a named schema. */
export function schemaView(api, name) {
  const ref = Object.assign(Object.create(null), {
    $ref: `#/components/schemas/${name.replace(/~/g, "~0").replace(/\//g, "~1")}`,
  });
  if (!Object.hasOwn(api.schemas, name)) return notFoundView(`There is no schema “${name}”.`);
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
    jsonView(stringify(api.schemas[name], 60)),
  );
}

/** The view for a name that does not exist. */
export function notFoundView(message) {
  return h(
    "article.method",
    h("h1", "Not found"),
    h("p", message),
    h("p", h("a", { href: "#" }, "All methods")),
  );
}

/** Whether a description adds something to the name: a router without docs is described by its name. */
function isInformative({ name, description }) {
  return description !== "" && description.toLowerCase() !== name.toLowerCase().split(/[^\w]/).at(-1);
}

/** The start view: the description of the server, and all methods by namespace. */
export function overviewView(api) {
  const groups = api.groups();
  return h(
    "article.overview",
    h("h1", api.title, api.version && h("span.version", api.version)),
    api.description && h("div.intro", renderBlocks(api.description)),
    !api.methods.length && h("p.empty", "There are no methods that you may see."),
    groups.map((group) => [
      group.name !== "" && h("h2", group.name),
      isInformative(group) && renderBlocks(group.description),
      h(
        "dl.index",
        group.methods
          .slice(0, 500)
          .map((method) => [
            h(
              `dt${method.deprecated ? ".old" : ""}`,
              h("a", { href: methodHash(method.name) }, h("code", method.short)),
            ),
            h("dd", method.summary ? renderInline(method.summary) : h("span.dim", "–")),
          ]),
      ),
    ]),
  );
}
