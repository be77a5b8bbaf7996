// Subscription view: state, latest items, gaps, and the reason of the end.

import { announce, h, setChildren } from "./dom.js";
import { jsonView } from "./json_view.js";
import { errorView } from "./response.js";
import { subscribe } from "./subscription.js";

// Items that are shown. Older ones are dropped.
const MAX_SHOWN = 50;

// Length limit of an item, because fifty of them are shown.
const MAX_ITEM = 1 << 16;

const END_REASONS = new Map([
  ["complete", "The stream has come to its end."],
  ["unsubscribed", "You have unsubscribed."],
  ["lagged", "The server ended it: this page did not take the items fast enough."],
  ["shutdown", "The server ended it, because it stops."],
]);

/** Subscribes to a method: `{ element, stop() }`. */
export function subscriptionView(method, params) {
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
  let nextNumber = 1;
  // The number of the last item before the first one of this connection, whose numbers begin with 1.
  let base = 0;
  let pending = [];
  let frame = 0;

  // Items may arrive faster than the screen refreshes, so all items of a frame are rendered together.
  const render = () => {
    frame = 0;
    const rows = pending.slice(-MAX_SHOWN).reverse();
    pending = [];
    list.prepend(...rows.map((make) => make()));
    while (list.childElementCount > MAX_SHOWN) list.lastElementChild.remove();
    counter.textContent = `${count.toLocaleString("en")} ${count === 1 ? "item" : "items"}${missed ? `, ${missed.toLocaleString("en")} missing` : ""}${count > MAX_SHOWN ? `, the last ${MAX_SHOWN} shown` : ""}`;
  };
  const schedule = (make) => {
    pending.push(make);
    if (pending.length > 2 * MAX_SHOWN) pending.splice(0, MAX_SHOWN);
    frame ||= requestAnimationFrame(render);
  };
  // Returns the number of an item within this subscription. A jump in the numbers of the server means that
  // it has dropped items, `before` that it has not kept them.
  const noteGap = (seq, before = 0) => {
    if (before === null)
      schedule(() => h("li.gap", "Items may be missing here: the server does not know them any more"));
    if (!Number.isFinite(seq)) return "";
    base += before ?? 0;
    const number = base + seq;
    const gap = number - nextNumber;
    nextNumber = number + 1;
    if (gap <= 0) return number;
    missed += gap;
    const why = before ? "did not keep" : "dropped";
    schedule(() =>
      h(
        "li.gap",
        `${gap.toLocaleString("en")} ${gap === 1 ? "item" : "items"} missing here: the server ${why} them`,
      ),
    );
    return number;
  };
  const finish = (kind, title, ...parts) => {
    state.textContent = title;
    element.classList.remove("on");
    element.classList.add(kind);
    button.remove();
    setChildren(ending, ...parts);
    announce(title);
    // All items are shown before the state says that the subscription has ended.
    cancelAnimationFrame(frame);
    render();
  };

  const subscription = subscribe(method, params, {
    opened() {
      state.textContent = "Live";
      element.classList.add("on");
      base = nextNumber - 1;
    },
    lost() {
      state.textContent = "Reconnecting…";
      element.classList.remove("on");
    },
    item(seq, raw, before) {
      const number = noteGap(seq, before);
      count += 1;
      schedule(() => h("li", h("span.seq", number), jsonView(raw, MAX_ITEM)));
    },
    ended(reason, error, seq, missed) {
      noteGap(seq, missed);
      if (error) finish("failed", `Ended with error ${error.code}`, errorView(error, method));
      else finish("done", "Ended", h("p", END_REASONS.get(reason) ?? `The server ended it: ${reason}`));
    },
    failed(text) {
      finish("failed", "Broken", h("p", text));
    },
  });
  button.addEventListener("click", () => {
    button.disabled = true;
    subscription.stop();
  });
  return { element, stop: () => subscription.stop() };
}
