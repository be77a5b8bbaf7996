// Table of the servers that a gateway forwards to, from the result of `upstreams_list`.

import { h } from "./dom.js";

const HEADS = ["Upstream", "Server", "Address", "State", "In flight", "Calls", "Failed"];

// Rows of the table.
const MAX_ROWS = 500;

/** The table with its heading; nothing if this server forwards to no other one. */
export function upstreamsTable(lines) {
  if (!Array.isArray(lines) || !lines.length) return null;
  return [
    h("h2", "Upstreams"),
    h(
      "div.scroller",
      { tabindex: 0, role: "region", "aria-label": "Upstreams" },
      h(
        "table.upstreams",
        h(
          "thead",
          h(
            "tr",
            HEADS.map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h("tbody", lines.slice(0, MAX_ROWS).map(row)),
      ),
    ),
  ];
}

function row(line) {
  const count = (value) => (typeof value === "number" ? value.toLocaleString("en") : "–");
  return h(
    "tr",
    h("td", String(line?.name || "–")),
    h("td", count(line?.server)),
    h("td", h("code", String(line?.address ?? ""))),
    h("td", line?.isUp === true ? "up" : h("span.badge.warn", "left out")),
    h("td", count(line?.inFlight)),
    h("td", count(line?.calls)),
    h("td", count(line?.failed)),
  );
}
