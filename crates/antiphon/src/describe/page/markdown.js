// Renderer for a subset of Markdown: paragraphs, lists, code blocks, emphasis, links. The rest stays text.

import { h } from "./dom.js";

const FENCE = /^\s*(?:```|~~~)/;
const ITEM = /^\s{0,3}(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*)$/;

/** Renders the blocks of a text into a `div`. */
export function renderBlocks(text) {
  const root = h("div.prose");
  const lines = String(text ?? "").split(/\r?\n/);
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    if (!line.trim()) at += 1;
    else if (FENCE.test(line)) at = codeBlock(root, lines, at);
    else if (ITEM.test(line)) at = list(root, lines, at);
    else if (HEADING.test(line)) {
      root.append(h("p.heading", renderInline(line.match(HEADING)[1])));
      at += 1;
    } else at = paragraph(root, lines, at);
  }
  return root;
}

function codeBlock(root, lines, at) {
  const body = [];
  for (at += 1; at < lines.length && !FENCE.test(lines[at]); at += 1) body.push(lines[at]);
  root.append(h("pre.code", { tabindex: 0 }, body.join("\n")));
  return at + 1;
}

function list(root, lines, at) {
  const element = h(lines[at].match(ITEM)[1] === undefined ? "ul" : "ol");
  while (at < lines.length && lines[at].trim()) {
    const parts = lines[at].match(ITEM);
    // A line that does not start an item continues the last one.
    if (parts) element.append(h("li", renderInline(parts[2])));
    else element.lastElementChild.append(" ", ...renderInline(lines[at].trim()));
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
  root.append(h("p", renderInline(body.join(" "))));
  return at;
}

// Code comes first, because nothing inside it is markup.
const INLINE =
  /(`+)(?<code>[^`]+)\1|\*\*(?<strong>[^*\s](?:[^*]*[^*\s])?)\*\*|\*(?<em>[^*\s](?:[^*]*[^*\s])?)\*|\[(?<label>[^\][]+)\]\((?<url>https?:\/\/[^\s()<>]+)\)/g;

/** Renders one line: `code`, *emphasis*, **strong emphasis** and links. */
export function renderInline(text) {
  const out = [];
  let at = 0;
  for (const { 0: all, index, groups } of text.matchAll(INLINE)) {
    out.push(text.slice(at, index), inlineElement(groups));
    at = index + all.length;
  }
  out.push(text.slice(at));
  return out.filter((part) => part !== "");
}

function inlineElement({ code, strong, em, label, url }) {
  if (code !== undefined) return h("code", code.trim());
  if (strong !== undefined) return h("strong", strong);
  if (em !== undefined) return h("em", em);
  // The target page gets neither a referrer nor a handle to this page.
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}
