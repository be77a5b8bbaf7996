// The call of the form as programs write it: curl, Rust, Python and JavaScript.

import { isObject, write } from "./json.js";
import { address, request } from "./rpc.js";

export const LANGUAGES = [
  ["curl", "curl"],
  ["rust", "Rust"],
  ["python", "Python"],
  ["javascript", "JavaScript"],
];

/** `call` is `{ method, params, isNotification }`; `method` is one of the document. */
export function snippet(language, call) {
  return { curl, rust, python, javascript }[language](call);
}

/** Between single quotes nothing means anything to a shell but the quote itself. */
function shell(text) {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}

/** As a JSON string, which these languages read in the same way but for the slash of `</script>`. */
function quoted(text) {
  return JSON.stringify(text.toWellFormed());
}

function curl({ method, params, isNotification }) {
  const lines = [
    `curl ${method.stream ? "-N" : "-sS"} ${shell(address())}`,
    "-H 'content-type: application/json'",
  ];
  if (method.stream) lines.push("-H 'accept: text/event-stream'");
  if (method.access === "admin") lines.push('-H "authorization: Bearer $ADMIN_TOKEN"');
  lines.push(`-d ${shell(request(method.name, params, isNotification, 1))}`);
  return lines.join(" \\\n  ");
}

/** A Rust string: JSON's escapes are not Rust's. */
function rustString(text) {
  const escaped = [...text.toWellFormed()].map((char) => {
    if (char === '"' || char === "\\") return `\\${char}`;
    if (char === "\n") return "\\n";
    return /\p{Cc}/u.test(char) ? `\\u{${char.codePointAt(0).toString(16)}}` : char;
  });
  return `"${escaped.join("")}"`;
}

/** Values as Rust tokens: what stands within `json!`. */
function rustValue(value, pad = "") {
  if (typeof value === "string") return rustString(value);
  if (value === null || typeof value !== "object" || !(Array.isArray(value) || isObject(value)))
    return write(value);
  const inner = `${pad}    `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const parts = Array.isArray(value)
    ? value.map((item) => rustValue(item, inner))
    : Object.keys(value).map((name) => `${rustString(name)}: ${rustValue(value[name], inner)}`);
  return lines(open, parts, close, pad, inner);
}

function lines(open, parts, close, pad, inner) {
  const line = `${open}${parts.join(", ")}${close}`;
  if (line.length + pad.length <= 70 && !line.includes("\n")) return line;
  return `${open}\n${parts.map((part) => `${inner}${part},\n`).join("")}${pad}${close}`;
}

function rustParams(params) {
  return params === undefined ? "()" : `serde_json::json!(${rustValue(params)})`;
}

function rust({ method, params, isNotification }) {
  const name = rustString(method.name);
  if (method.stream) {
    const own =
      method.stream.unsubscribe === "rpc.unsubscribe"
        ? ""
        : `\n    .unsubscribe_method(${rustString(method.stream.unsubscribe)})`;
    return [
      `let client = antiphon::Client::connect(${rustString(address(location.protocol.replace("http", "ws")))})?;`,
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
          `let client = antiphon::Client::builder(${rustString(address())})`,
          '    .header("authorization", format!("Bearer {token}"))',
          "    .build()?;",
        ]
      : [`let client = antiphon::Client::connect(${rustString(address())})?;`];
  const call = isNotification
    ? `client.notify(${name}, ${rustParams(params)}).await?;`
    : `let result: serde_json::Value = client.call(${name}, ${rustParams(params)}).await?;`;
  return [...client, call].join("\n");
}

/** JSON as a Python literal. */
function pythonValue(value, pad = "") {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object" || !(Array.isArray(value) || isObject(value)))
    return typeof value === "string" ? quoted(value) : write(value);
  const inner = `${pad}    `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const parts = Array.isArray(value)
    ? value.map((item) => pythonValue(item, inner))
    : Object.keys(value).map((name) => `${quoted(name)}: ${pythonValue(value[name], inner)}`);
  return lines(open, parts, close, pad, inner);
}

function python({ method, params, isNotification }) {
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
    `    ${quoted(address())},`,
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

function javascript({ method, params, isNotification }) {
  const members = [`jsonrpc: "2.0"`, ...(isNotification ? [] : ["id: 1"]), `method: ${quoted(method.name)}`];
  if (params !== undefined) members.push(`params: ${write(params, 60, "    ")}`);
  if (method.stream) {
    return [
      `const socket = new WebSocket(${quoted(address(location.protocol.replace("http", "ws")))});`,
      "socket.onopen = () =>",
      "  socket.send(JSON.stringify({",
      ...members.map((member) => `    ${member},`),
      "  }));",
      "socket.onmessage = ({ data }) => console.log(JSON.parse(data));",
    ].join("\n");
  }
  const token = method.access === "admin" ? ", authorization: `Bearer ${token}`" : "";
  const out = [
    `const response = await fetch(${quoted(address())}, {`,
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
