// What stands after `#` in the address: a method, a schema, or a view.

const SERVER = "server";

/** The hash of a method. Names that mean something else here get a colon before them. */
export function methodHash(name) {
  const needsMark = name === SERVER || /^[:~]/.test(name);
  return `#${needsMark ? ":" : ""}${encode(name)}`;
}

export function schemaHash(name) {
  return `#~${encode(name)}`;
}

/** Points and slashes stay readable. A half of a surrogate pair can be in no address. */
function encode(name) {
  return encodeURIComponent(name.toWellFormed()).replace(/%2F/g, "/");
}

/** `{ view: "methods" | "method" | "schema" | "server", name }`. */
export function route(hash = location.hash) {
  const raw = hash.replace(/^#/, "");
  if (raw === "") return { view: "methods", name: "" };
  if (raw === SERVER) return { view: "server", name: "" };
  let name;
  try {
    name = decodeURIComponent(raw);
  } catch {
    name = raw;
  }
  if (name[0] === "~") return { view: "schema", name: name.slice(1) };
  return { view: "method", name: name[0] === ":" ? name.slice(1) : name };
}
