// Code snippets of a call: curl, Rust, Python and JavaScript.

import { isObject, stringify } from "./json.js";
import { encodeRequest, serverUrl } from "./rpc.js";

export const LANGUAGES = [
  ["curl", "curl"],
  ["rust", "Rust"],
  ["python", "Python"],
  ["javascript", "JavaScript"],
];

/** The code of a call: `{ method, params, isNotification }`. */
export function snippet(language, call) {
  return { curl: curlSnippet, rust: rustSnippet, python: pythonSnippet, javascript: javascriptSnippet }[
    language
  ](call);
}

/** A string for a POSIX shell. Inside single quotes only the quote itself is special. */
function shellString(text) {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}

/** A JSON string, which is also a string literal in Python and JavaScript. */
function jsonString(text) {
  return JSON.stringify(text.toWellFormed());
}

function curlSnippet({ method, params, isNotification }) {
  const lines = [
    `curl ${method.stream ? "-N" : "-sS"} ${shellString(serverUrl())}`,
    "-H 'content-type: application/json'",
  ];
  if (method.stream) lines.push("-H 'accept: text/event-stream'");
  if (method.access === "admin") lines.push('-H "authorization: Bearer $ADMIN_TOKEN"');
  lines.push(`-d ${shellString(encodeRequest(method.name, params, isNotification, 1))}`);
  return lines.join(" \\\n  ");
}

/** A Rust string. The escapes of JSON are not those of Rust. */
function rustString(text) {
  const escaped = [...text.toWellFormed()].map((char) => {
    if (char === '"' || char === "\\") return `\\${char}`;
    if (char === "\n") return "\\n";
    return /\p{Cc}/u.test(char) ? `\\u{${char.codePointAt(0).toString(16)}}` : char;
  });
  return `"${escaped.join("")}"`;
}

/** A value as the argument of `json!`. */
function rustValue(value, pad = "") {
  if (typeof value === "string") return rustString(value);
  if (value === null || typeof value !== "object" || !(Array.isArray(value) || isObject(value)))
    return stringify(value);
  const inner = `${pad}    `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const parts = Array.isArray(value)
    ? value.map((item) => rustValue(item, inner))
    : Object.keys(value).map((name) => `${rustString(name)}: ${rustValue(value[name], inner)}`);
  return joinParts(open, parts, close, pad, inner);
}

function joinParts(open, parts, close, pad, inner) {
  const line = `${open}${parts.join(", ")}${close}`;
  if (line.length + pad.length <= 70 && !line.includes("\n")) return line;
  return `${open}\n${parts.map((part) => `${inner}${part},\n`).join("")}${pad}${close}`;
}

function rustParams(params) {
  return params === undefined ? "()" : `serde_json::json!(${rustValue(params)})`;
}

function rustSnippet({ method, params, isNotification }) {
  const name = rustString(method.name);
  if (method.stream) {
    const own =
      method.stream.unsubscribe === "rpc.unsubscribe"
        ? ""
        : `\n    .unsubscribe_method(${rustString(method.stream.unsubscribe)})`;
    return [
      `let client = antiphon::Client::connect(${rustString(serverUrl(location.protocol.replace("http", "ws")))})?;`,
      "let mut items = client",
      `    .subscribe::<serde_json::Value>(${name}, ${rustParams(params)})${own}`,
      "    .await?;",
      "while let Some(item) = items.next().await {",
      '    println!("{}", item?);',
      "}",
    ].join("\n");
  }
  const client =
    method.access === "admin"
      ? [
          `let client = antiphon::Client::builder(${rustString(serverUrl())})`,
          '    .header("authorization", format!("Bearer {token}"))',
          "    .build()?;",
        ]
      : [`let client = antiphon::Client::connect(${rustString(serverUrl())})?;`];
  const call = isNotification
    ? `client.notify(${name}, ${rustParams(params)}).await?;`
    : `let result: serde_json::Value = client.call(${name}, ${rustParams(params)}).await?;`;
  return [...client, call].join("\n");
}

/** A value as a Python literal. */
function pythonValue(value, pad = "") {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object" || !(Array.isArray(value) || isObject(value)))
    return typeof value === "string" ? jsonString(value) : stringify(value);
  const inner = `${pad}    `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const parts = Array.isArray(value)
    ? value.map((item) => pythonValue(item, inner))
    : Object.keys(value).map((name) => `${jsonString(name)}: ${pythonValue(value[name], inner)}`);
  return joinParts(open, parts, close, pad, inner);
}

function pythonSnippet({ method, params, isNotification }) {
  const members = {
    jsonrpc: "2.0",
    ...(isNotification ? {} : { id: 1 }),
    method: method.name,
    ...(params === undefined ? {} : { params }),
  };
  const headers = { "content-type": "application/json" };
  if (method.stream) headers.accept = "text/event-stream";
  const head = pythonValue(headers);
  return [
    "import json",
    "import urllib.request",
    "",
    `call = ${pythonValue(members)}`,
    "request = urllib.request.Request(",
    `    ${jsonString(serverUrl())},`,
    "    json.dumps(call).encode(),",
    `    ${method.access === "admin" ? `${head.slice(0, -1)}, "authorization": f"Bearer {token}"}` : head},`,
    ")",
    ...(method.stream
      ? [
          "for line in urllib.request.urlopen(request):",
          '    if line.startswith(b"data:"):',
          "        print(json.loads(line[5:]))",
        ]
      : isNotification
        ? ["urllib.request.urlopen(request).close()"]
        : ["with urllib.request.urlopen(request) as response:", "    print(json.load(response))"]),
  ].join("\n");
}

function javascriptSnippet({ method, params, isNotification }) {
  const members = [
    `jsonrpc: "2.0"`,
    ...(isNotification ? [] : ["id: 1"]),
    `method: ${jsonString(method.name)}`,
  ];
  if (params !== undefined) members.push(`params: ${stringify(params, 60, "    ")}`);
  if (method.stream?.resumes) {
    // The browser resumes by itself.
    const given = params === undefined ? [] : [`  params: JSON.stringify(${stringify(params, 60, "  ")}),`];
    return [
      "const query = new URLSearchParams({",
      `  method: ${jsonString(method.name)},`,
      ...given,
      "});",
      `const source = new EventSource(${jsonString(`${serverUrl()}?`)} + query);`,
      "source.onmessage = ({ data }) => console.log(JSON.parse(data).params);",
    ].join("\n");
  }
  if (method.stream) {
    return [
      `const socket = new WebSocket(${jsonString(serverUrl(location.protocol.replace("http", "ws")))});`,
      "socket.onopen = () =>",
      "  socket.send(JSON.stringify({",
      ...members.map((member) => `    ${member},`),
      "  }));",
      "socket.onmessage = ({ data }) => console.log(JSON.parse(data));",
    ].join("\n");
  }
  const token = method.access === "admin" ? ", authorization: `Bearer ${token}`" : "";
  const out = [
    `const response = await fetch(${jsonString(serverUrl())}, {`,
    '  method: "POST",',
    `  headers: { "content-type": "application/json"${token} },`,
    "  body: JSON.stringify({",
    ...members.map((member) => `    ${member},`),
    "  }),",
    "});",
  ];
  if (!isNotification) out.push("const { result, error } = await response.json();");
  return out.join("\n");
}
