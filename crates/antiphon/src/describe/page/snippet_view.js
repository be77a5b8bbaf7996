// Tabs with the code snippets of a call, with syntax highlighting.

import { h, setChildren } from "./dom.js";
import { LANGUAGES, snippet } from "./snippets.js";
import { copyButton, tabs } from "./widgets.js";

// The chosen language stays the same for all methods.
let preferredLanguage = LANGUAGES[0][0];

const KEYWORDS =
  "async await const curl def for from fn if import in let match new None null println print Some true false True False use while with".split(
    " ",
  );

const TOKEN =
  /(?<com>(?:\/\/|# ).*)|(?<str>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<num>\b\d[\w.]*)|(?<name>[A-Za-z_]\w*)|[^]/g;

// Longer code is shown without colours, because highlighting it would take too long.
const MAX_COLOURED = 20_000;

/** Tabs with a call in several languages: `{ element, show(call) }`. */
export function snippetTabs() {
  let call = null;
  let source = "";
  const body = h("div.snippet");
  const show = () => {
    if (!call) return;
    source = snippet(preferredLanguage, call);
    setChildren(body, codeView(source));
  };
  const list = LANGUAGES.map(([name, label]) => ({ name, label, panel: h("div") }));
  const shown = tabs("Call in", list, (name) => {
    preferredLanguage = name;
    list.find((tab) => tab.name === name).panel.append(body);
    show();
  });
  shown.show(preferredLanguage);
  return {
    element: h(
      "section.code-box",
      { "aria-label": "Code" },
      shown.element,
      h(
        "div.corner",
        copyButton(() => source),
      ),
    ),
    show(next) {
      call = next;
      show();
    },
  };
}

/** Highlighted code. One set of rules is enough for the languages of the snippets. */
function codeView(code) {
  const pre = h("pre.code", { tabindex: 0 });
  if (code.length > MAX_COLOURED) {
    pre.textContent = code;
    return pre;
  }
  let plain = "";
  const flush = () => {
    pre.append(plain);
    plain = "";
  };
  for (const { 0: token, groups } of code.matchAll(TOKEN)) {
    const kind = groups.com
      ? "com"
      : groups.str
        ? "str"
        : groups.num
          ? "num"
          : KEYWORDS.includes(token)
            ? "word"
            : "";
    if (!kind) {
      plain += token;
      continue;
    }
    flush();
    pre.append(h(`span.${kind}`, token));
  }
  flush();
  return pre;
}
