// Model of the OpenRPC document: loading, look-up, search.

import { isObject, parse, stringify, toNumber } from "./json.js";
import { withToken } from "./rpc.js";

// References may form a circle.
const MAX_REF_STEPS = 32;

const REF_PREFIX = "#/components/schemas/";

/** Fetches and parses the document. Throws an `Error` whose message can be shown. */
export async function loadDocument() {
  const response = await fetch("openrpc.json", { headers: withToken(), cache: "no-store" });
  if (response.status === 401)
    throw new Error("The server does not know this token, or it has expired. See “Access”.");
  if (!response.ok) throw new Error(`The description could not be loaded: HTTP ${response.status}.`);
  return new Api(parse(await response.text()));
}

/** The value if it is a string, otherwise an empty string. */
export function asText(value) {
  return typeof value === "string" ? value : "";
}

/** The objects of an array; empty if the value is not an array. */
function objectsOf(value) {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export class Api {
  constructor(document) {
    const root = isObject(document) ? document : {};
    const info = isObject(root.info) ? root.info : {};
    this.title = asText(info.title) || "Remote methods";
    this.version = asText(info.version);
    this.description = asText(info.description);
    this.schemas =
      isObject(root.components) && isObject(root.components.schemas) ? root.components.schemas : {};
    const namespaces = isObject(root["x-namespaces"]) ? root["x-namespaces"] : {};
    this.methods = objectsOf(root.methods)
      .filter((method) => asText(method.name))
      .map((method) => new Method(method, namespaces));
    this.byName = new Map(this.methods.map((method) => [method.name, method]));
  }

  method(name) {
    return this.byName.get(name);
  }

  /** An admin method by the last part of its name, because each server chooses its namespace. */
  command(name) {
    return this.byName.get(name) ?? this.methods.find((method) => method.short === name);
  }

  /** Methods by namespace in the order of the document, those without a namespace first. */
  groups(methods = this.methods) {
    const groups = new Map([["", { name: "", description: "", methods: [] }]]);
    for (const method of methods) {
      const name = method.namespace;
      if (!groups.has(name)) groups.set(name, { name, description: method.about, methods: [] });
      groups.get(name).methods.push(method);
    }
    return [...groups.values()].filter((group) => group.methods.length);
  }

  /** Methods that contain all words of a query. Matches at the start of a name come first. */
  search(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return this.methods;
    return this.methods
      .filter((method) => words.every((word) => method.haystack.includes(word)))
      .map((method) => [method.rank(words[0]), method])
      .sort(([a], [b]) => a - b)
      .map(([, method]) => method);
  }

  /** Follows the references of a schema. An unknown reference allows any value. */
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

  /** The methods that refer to a schema directly. */
  users(name) {
    return this.methods.filter((method) => method.refs.has(name));
  }
}

/** The name of the referenced schema, or undefined. */
export function refName(schema) {
  const ref = isObject(schema) ? schema.$ref : undefined;
  if (typeof ref !== "string" || !ref.startsWith(REF_PREFIX)) return undefined;
  return ref.slice(REF_PREFIX.length).replace(/~1/g, "/").replace(/~0/g, "~");
}

class Method {
  constructor(raw, namespaces) {
    this.name = raw.name;
    const [tag] = objectsOf(raw.tags);
    const namespace = asText(tag?.name);
    // The tag counts as the namespace only if the name begins with it.
    this.namespace = namespace && this.name.startsWith(namespace) ? namespace : "";
    // The document has long descriptions of namespaces in one place, not at each method.
    this.about =
      (Object.hasOwn(namespaces, namespace) && asText(namespaces[namespace])) || asText(tag?.description);
    this.summary = asText(raw.summary);
    this.doc = asText(raw.description) || this.summary;
    this.params = objectsOf(raw.params).map((param) => ({
      name: asText(param.name),
      doc: asText(param.description),
      required: param.required === true,
      schema: param.schema ?? true,
      unknown: param["x-no-schema"] === true,
    }));
    this.result = contentOf(raw.result);
    const docs = isObject(raw["x-error-docs"]) ? raw["x-error-docs"] : {};
    this.errors = objectsOf(raw.errors).map((error) => ({
      code: toNumber(error.code),
      message: asText(error.message),
      doc:
        (Object.hasOwn(docs, stringify(error.code ?? null)) && asText(docs[stringify(error.code ?? null)])) ||
        "",
    }));
    this.deprecated = raw.deprecated === true;
    this.reason = asText(raw["x-deprecated-reason"]);
    this.structure = asText(raw.paramStructure) || "either";
    this.access = asText(raw["x-access"]);
    this.isPublic = raw["x-public"] === true;
    this.isReadOnly = raw["x-read-only"] === true;
    this.isIdempotent = raw["x-idempotent"] === true;
    this.servedBy = asText(raw["x-served-by"]);
    this.scopes = Array.isArray(raw["x-scopes"]) ? raw["x-scopes"].map(asText).filter(Boolean) : [];
    this.rest = raw["x-additional-params"];
    this.examples = objectsOf(raw.examples);
    const stream = raw["x-subscription"];
    this.stream = isObject(stream)
      ? {
          notification: asText(stream.notification),
          unsubscribe: asText(stream.unsubscribe) || "rpc.unsubscribe",
          item: contentOf(stream.item),
          plain: stream.plain === true,
          resumes: stream.resumes === true,
        }
      : null;
    this.haystack =
      `${this.name}\n${this.doc}\n${this.params.map((param) => param.name).join(" ")}`.toLowerCase();
    this.refs = new Set();
    collectRefs(raw, this.refs, 0);
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

function contentOf(raw) {
  if (!isObject(raw)) return { doc: "", schema: true, unknown: true };
  return { doc: asText(raw.description), schema: raw.schema ?? true, unknown: raw["x-no-schema"] === true };
}

function collectRefs(value, names, depth) {
  if (depth > 64 || value === null || typeof value !== "object") return;
  const name = refName(value);
  if (name !== undefined) names.add(name);
  for (const inner of Object.values(value)) collectRefs(inner, names, depth + 1);
}
