// The document that describes the server: loading it, and what the page asks of it.

import { isObject, parse, toNumber, write } from "./json.js";
import { authorized } from "./rpc.js";

// A description of many methods may be long, but not endless.
const MAX_REF_STEPS = 32;

const REF = "#/components/schemas/";

/** Fetches and reads the document; throws an `Error` that can be shown. */
export async function load() {
  const response = await fetch("openrpc.json", { headers: authorized(), cache: "no-store" });
  if (!response.ok) throw new Error(`The description could not be loaded: HTTP ${response.status}.`);
  return new Api(parse(await response.text()));
}

/** A text of the document; anything else is none. */
export function text(value) {
  return typeof value === "string" ? value : "";
}

/** A list of the document, of objects only. */
function objects(value) {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export class Api {
  constructor(document) {
    const root = isObject(document) ? document : {};
    const info = isObject(root.info) ? root.info : {};
    this.title = text(info.title) || "Remote methods";
    this.version = text(info.version);
    this.description = text(info.description);
    this.schemas =
      isObject(root.components) && isObject(root.components.schemas) ? root.components.schemas : {};
    const namespaces = isObject(root["x-namespaces"]) ? root["x-namespaces"] : {};
    this.methods = objects(root.methods)
      .filter((method) => text(method.name))
      .map((method) => new Method(method, namespaces));
    this.byName = new Map(this.methods.map((method) => [method.name, method]));
  }

  method(name) {
    return this.byName.get(name);
  }

  /** A method by the last part of its name: where the server's own commands are is for its owner. */
  command(name) {
    return this.byName.get(name) ?? this.methods.find((method) => method.short === name);
  }

  /** Methods by namespace, `""` first, in the order of the document. */
  groups(methods = this.methods) {
    const groups = new Map([["", { name: "", description: "", methods: [] }]]);
    for (const method of methods) {
      const name = method.namespace;
      if (!groups.has(name)) groups.set(name, { name, description: method.about, methods: [] });
      groups.get(name).methods.push(method);
    }
    return [...groups.values()].filter((group) => group.methods.length);
  }

  /** Methods in which all words of a query occur, those whose name begins with it first. */
  search(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return this.methods;
    return this.methods
      .filter((method) => words.every((word) => method.haystack.includes(word)))
      .map((method) => [method.rank(words[0]), method])
      .sort(([a], [b]) => a - b)
      .map(([, method]) => method);
  }

  /** What a schema's reference stands for; the schema itself without one. */
  resolve(schema) {
    let steps = 0;
    while (isObject(schema) && typeof schema.$ref === "string") {
      const name = refName(schema);
      steps += 1;
      if (name === undefined || !Object.hasOwn(this.schemas, name) || steps > MAX_REF_STEPS) return true;
      schema = this.schemas[name];
    }
    return schema;
  }

  /** Names of the methods that mention a schema directly. */
  users(name) {
    return this.methods.filter((method) => method.refs.has(name));
  }
}

/** The name a reference gives, or undefined. */
export function refName(schema) {
  const ref = isObject(schema) ? schema.$ref : undefined;
  if (typeof ref !== "string" || !ref.startsWith(REF)) return undefined;
  return ref.slice(REF.length).replace(/~1/g, "/").replace(/~0/g, "~");
}

class Method {
  constructor(raw, namespaces) {
    this.name = raw.name;
    const [tag] = objects(raw.tags);
    const namespace = text(tag?.name);
    // The tag is the namespace only if the name says so as well.
    this.namespace = namespace && this.name.startsWith(namespace) ? namespace : "";
    // What is longer than a sentence stands but once in the document.
    this.about =
      (Object.hasOwn(namespaces, namespace) && text(namespaces[namespace])) || text(tag?.description);
    this.summary = text(raw.summary);
    this.doc = text(raw.description) || this.summary;
    this.params = objects(raw.params).map((param) => ({
      name: text(param.name),
      doc: text(param.description),
      required: param.required === true,
      schema: param.schema ?? true,
      unknown: param["x-no-schema"] === true,
    }));
    this.result = content(raw.result);
    const docs = isObject(raw["x-error-docs"]) ? raw["x-error-docs"] : {};
    this.errors = objects(raw.errors).map((error) => ({
      code: toNumber(error.code),
      message: text(error.message),
      doc: (Object.hasOwn(docs, write(error.code ?? null)) && text(docs[write(error.code ?? null)])) || "",
    }));
    this.deprecated = raw.deprecated === true;
    this.reason = text(raw["x-deprecated-reason"]);
    this.structure = text(raw.paramStructure) || "either";
    this.access = text(raw["x-access"]);
    this.rest = raw["x-additional-params"];
    this.examples = objects(raw.examples);
    const stream = raw["x-subscription"];
    this.stream = isObject(stream)
      ? {
          notification: text(stream.notification),
          unsubscribe: text(stream.unsubscribe) || "rpc.unsubscribe",
          item: content(stream.item),
          plain: stream.plain === true,
        }
      : null;
    this.haystack =
      `${this.name}\n${this.doc}\n${this.params.map((param) => param.name).join(" ")}`.toLowerCase();
    this.refs = new Set();
    collect(raw, this.refs, 0);
  }

  /** The name without its namespace. */
  get short() {
    const rest = this.name.slice(this.namespace.length);
    return this.namespace && rest.length > 1 ? rest.slice(1) : this.name;
  }

  rank(word) {
    const name = this.name.toLowerCase();
    if (name.startsWith(word) || this.short.toLowerCase().startsWith(word)) return 0;
    return name.includes(word) ? 1 : 2;
  }
}

function content(raw) {
  if (!isObject(raw)) return { doc: "", schema: true, unknown: true };
  return { doc: text(raw.description), schema: raw.schema ?? true, unknown: raw["x-no-schema"] === true };
}

function collect(value, names, depth) {
  if (depth > 64 || value === null || typeof value !== "object") return;
  const name = refName(value);
  if (name !== undefined) names.add(name);
  for (const inner of Object.values(value)) collect(inner, names, depth + 1);
}
