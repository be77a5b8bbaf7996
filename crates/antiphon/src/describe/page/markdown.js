// Doc comments: paragraphs, lists, blocks of code, and a little within lines. All else stays text.

import { h } from "./dom.js";

const FENCE = /^\s*(?:```|~~~)/;
const ITEM = /^\s{0,3}(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*)$/;

/** The blocks of a text, as a `div`. */
export function prose(text) {
  const root = h("div.prose");
  const lines = String(text ?? "").split(/\r?\n/);
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    if (!line.trim()) at += 1;
    else if (FENCE.test(line)) at = code(root, lines, at);
    else if (ITEM.test(line)) at = list(root, lines, at);
    else if (HEADING.test(line)) {
      root.append(h("p.heading", spans(line.match(HEADING)[1])));
      at += 1;
    } else at = paragraph(root, lines, at);
  }
  return root;
}

function code(root, lines, at) {
  const body = [];
  for (at += 1; at < lines.length && !FENCE.test(lines[at]); at += 1) body.push(lines[at]);
  root.append(h("pre.code", { tabindex: 0 }, body.join("\n")));
  return at + 1;
}

function list(root, lines, at) {
  const element = h(lines[at].match(ITEM)[1] === undefined ? "ul" : "ol");
  while (at < lines.length && lines[at].trim()) {
    const parts = lines[at].match(ITEM);
    // A line that begins no item goes on with the last one.
    if (parts) element.append(h("li", spans(parts[2])));
    else element.lastElementChild.append(" ", ...spans(lines[at].trim()));
    at += 1;
  }
  root.append(element);
  return at;
}

function paragraph(root, lines, at) {
  const body = [];
  const isOver = (line) => !line.trim() || FENCE.test(line) || ITEM.test(line) || HEADING.test(line);
  do {
    body.push(lines[at].trim());
    at += 1;
  } while (at < lines.length && !isOver(lines[at]));
  root.append(h("p", spans(body.join(" "))));
  return at;
}

// In this order: within `code` nothing else means anything.
const SPAN =
  /(`+)(?<code>[^`]+)\1|\*\*(?<strong>[^*\s](?:[^*]*[^*\s])?)\*\*|\*(?<em>[^*\s](?:[^*]*[^*\s])?)\*|\[(?<label>[^\][]+)\]\((?<url>https?:\/\/[^\s()<>]+)\)/g;

/** The text of one line, with `code`, *stress*, **more of it** and links to pages. */
export function spans(text) {
  const out = [];
  let at = 0;
  for (const { 0: all, index, groups } of text.matchAll(SPAN)) {
    out.push(text.slice(at, index), span(groups));
    at = index + all.length;
  }
  out.push(text.slice(at));
  return out.filter((part) => part !== "");
}

function span({ code, strong, em, label, url }) {
  if (code !== undefined) return h("code", code.trim());
  if (strong !== undefined) return h("strong", strong);
  if (em !== undefined) return h("em", em);
  // A page elsewhere learns nothing of this one.
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}
