// Routes in the fragment of the URL: a method, a schema or a view.

const SERVER = "server";

/** The fragment of a method. Names that would mean another view get a colon as prefix. */
export function methodHash(name) {
  const needsMark = name === SERVER || /^[:~]/.test(name);
  return `#${needsMark ? ":" : ""}${encodeName(name)}`;
}

export function schemaHash(name) {
  return `#~${encodeName(name)}`;
}

/** Slashes stay readable. Lone surrogates are replaced, because a URL cannot contain them. */
function encodeName(name) {
  return encodeURIComponent(name.toWellFormed()).replace(/%2F/g, "/");
}

/** Parses a fragment into `{ view: "methods" | "method" | "schema" | "server", name }`. */
export function parseRoute(hash = location.hash) {
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
