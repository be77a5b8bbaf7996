// A subscription as it is seen: its state, the last items, what is missing, and how it ended.

import { announce, fill, h } from "./dom.js";
import { errorView } from "./answer.js";
import { jsonView } from "./highlight.js";
import { subscribe } from "./stream.js";

// So many items are shown; older ones are let go.
const SHOWN = 50;

// Of a longer item, the beginning: there may be fifty of them.
const ITEM = 1 << 16;

const ENDS = new Map([
  ["complete", "The stream has come to its end."],
  ["unsubscribed", "You have unsubscribed."],
  ["lagged", "The server ended it: this page did not take the items fast enough."],
  ["shutdown", "The server ended it, because it stops."],
]);

/** Subscribes to a method; gives `{ element, stop() }`. */
export function live(method, params) {
  const state = h("strong.state", { "aria-live": "polite" }, "Subscribing…");
  const counter = h("span.dim", "");
  const button = h("button.small", { type: "button" }, "Unsubscribe");
  const list = h("ol.items", { tabindex: 0, "aria-label": "Items, the newest first" });
  const ending = h("div");
  const element = h(
    "div.answer.live",
    h("div.answer-head", state, counter, h("span.push", button)),
    ending,
    list,
  );

  let count = 0;
  let missed = 0;
  let expected = 1;
  let waiting = [];
  let frame = 0;

  // Items may come faster than a screen can show them: those of one frame are drawn together.
  const draw = () => {
    frame = 0;
    const rows = waiting.slice(-SHOWN).reverse();
    waiting = [];
    list.prepend(...rows.map((make) => make()));
    while (list.childElementCount > SHOWN) list.lastElementChild.remove();
    counter.textContent = `${count.toLocaleString("en")} ${count === 1 ? "item" : "items"}${missed ? `, ${missed.toLocaleString("en")} missing` : ""}${count > SHOWN ? `, the last ${SHOWN} shown` : ""}`;
  };
  const later = (make) => {
    waiting.push(make);
    if (waiting.length > 2 * SHOWN) waiting.splice(0, SHOWN);
    frame ||= requestAnimationFrame(draw);
  };
  // Numbers jump where the server has dropped items.
  const note = (seq) => {
    if (!Number.isFinite(seq)) return;
    const gap = seq - expected;
    expected = seq + 1;
    if (gap <= 0) return;
    missed += gap;
    later(() =>
      h(
        "li.gap",
        `${gap.toLocaleString("en")} ${gap === 1 ? "item" : "items"} missing here: the server dropped them`,
      ),
    );
  };
  const over = (kind, title, ...parts) => {
    state.textContent = title;
    element.classList.remove("on");
    element.classList.add(kind);
    button.remove();
    fill(ending, ...parts);
    announce(title);
    // Whoever reads that it is over has all items before them.
    cancelAnimationFrame(frame);
    draw();
  };

  const subscription = subscribe(method, params, {
    opened() {
      state.textContent = "Live";
      element.classList.add("on");
    },
    item(seq, raw) {
      note(seq);
      count += 1;
      later(() => h("li", h("span.seq", Number.isFinite(seq) ? seq : ""), jsonView(raw, ITEM)));
    },
    ended(reason, error, seq) {
      note(seq);
      if (error) over("failed", `Ended with error ${error.code}`, errorView(error, method));
      else over("done", "Ended", h("p", ENDS.get(reason) ?? `The server ended it: ${reason}`));
    },
    failed(text) {
      over("failed", "Broken", h("p", text));
    },
  });
  button.addEventListener("click", () => {
    button.disabled = true;
    subscription.stop();
  });
  return { element, stop: () => subscription.stop() };
}
