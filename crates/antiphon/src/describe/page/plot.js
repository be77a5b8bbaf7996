// A plot of the last two minutes, as SVG: lines over time, a scale, and a legend with the figures.

import { fill, h, svg } from "./dom.js";

/** How many seconds a plot remembers. */
const POINTS = 120;

// How many lines one plot has; the rest are summed up.
export const LINES = 5;

const HEIGHT = 150;
const TOP = 16;
const BOTTOM = 18;

/**
 * A plot: `{ element, add(values), gap() }`. `values` is a `Map` of the names of lines to numbers,
 * where NaN leaves a hole; `format` writes a number for people; `isSum`: the lines make a whole.
 */
export function plot(title, format, { least = 1, isSum = false } = {}) {
  const big = h("span.big", "–");
  const legend = h("ul.legend");
  const drawing = svg("svg.drawing", { role: "img", "aria-label": title, height: HEIGHT });
  const element = h("figure.plot", h("figcaption", h("span.title", title), big), drawing, legend);
  const lines = new Map();
  let length = 0;
  let hovered = null;

  function add(values) {
    length = Math.min(length + 1, POINTS);
    for (const name of values.keys()) if (!lines.has(name)) lines.set(name, new Array(length - 1).fill(NaN));
    for (const [name, points] of lines) {
      points.push(values.get(name) ?? NaN);
      if (points.length > POINTS) points.shift();
      // A line without a point on the plot is gone.
      if (points.every(Number.isNaN) && lines.size > LINES) lines.delete(name);
    }
    draw();
  }

  function draw() {
    const width = Math.max(drawing.clientWidth, 200);
    const all = [...lines.values()].flat().filter(Number.isFinite);
    const top = ceiling(all.reduce((a, b) => Math.max(a, b), least));
    const x = (at) => width - 1 - (length - 1 - at) * ((width - 2) / (POINTS - 1));
    const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
    drawing.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const grid = [0, 0.5, 1].map((share) => [
      svg("line.grid", { x1: 0, x2: width, y1: y(top * share), y2: y(top * share) }),
      share > 0 && svg("text.scale", { x: 0, y: y(top * share) - 3 }, format(top * share)),
    ]);
    const ends = [
      svg("text.scale", { x: 0, y: HEIGHT - 4 }, "2 min ago"),
      svg("text.scale.end", { x: width, y: HEIGHT - 4 }, "now"),
    ];
    const paths = [...lines.values()].map((points, at) =>
      svg(`path.line.s${at % LINES}`, { d: path(points, x, y) }),
    );
    const first = [...lines.values()];
    const area = first.length === 1 && svg("path.area.s0", { d: areaPath(first[0], x, y) });
    const rule =
      hovered !== null &&
      hovered < length &&
      svg("line.rule", { x1: x(hovered), x2: x(hovered), y1: TOP, y2: HEIGHT - BOTTOM });
    fill(drawing, grid, ends, area, paths, rule);
    tell();
  }

  function tell() {
    const at = hovered ?? length - 1;
    const entries = [...lines].map(([name, points]) => [name, points[at]]);
    const text = (value) => (Number.isFinite(value) ? format(value) : "–");
    const sum = entries.reduce((all, [, value]) => all + (value || 0), 0);
    if (isSum) big.textContent = text(sum);
    else if (entries.length === 1) big.textContent = text(entries[0][1]);
    else big.textContent = entries.length ? "" : "–";
    fill(
      legend,
      (isSum || entries.length > 1) &&
        entries.map(([name, value], line) =>
          h("li", svgDot(line), h("span.series", name), h("span.value", text(value))),
        ),
    );
    drawing.setAttribute(
      "aria-label",
      `${title}: ${entries.map(([name, value]) => `${name} ${text(value)}`).join(", ") || "nothing yet"}`,
    );
  }

  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const back = ((box.right - event.clientX) / box.width) * (POINTS - 1);
    hovered = Math.max(0, Math.min(length - 1, Math.round(length - 1 - back)));
    draw();
  });
  drawing.addEventListener("pointerleave", () => {
    hovered = null;
    draw();
  });
  // It is drawn in the pixels it has: once they are known, and again when they change.
  new ResizeObserver(draw).observe(drawing);
  return { element, add, gap: () => add(new Map()) };
}

function svgDot(line) {
  return svg(
    "svg.dot",
    { viewBox: "0 0 8 8", "aria-hidden": "true" },
    svg(`circle.s${line % LINES}`, { cx: 4, cy: 4, r: 3.5 }),
  );
}

/** The next round number. */
function ceiling(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 6, 8, 10].map((step) => step * unit).find((step) => step >= value * 0.999);
}

function path(points, x, y) {
  let out = "";
  let isDrawing = false;
  points.forEach((value, at) => {
    if (!Number.isFinite(value)) isDrawing = false;
    else {
      out += `${isDrawing ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      // A point alone is a line of no length, which a round end makes visible.
      if (!isDrawing && !Number.isFinite(points[at + 1])) out += "h0";
      isDrawing = true;
    }
  });
  return out;
}

function areaPath(points, x, y) {
  const from = points.findIndex(Number.isFinite);
  if (from < 0) return "";
  const inner = points
    .map((value, at) =>
      at < from ? "" : `L${x(at).toFixed(1)} ${y(Number.isFinite(value) ? value : 0).toFixed(1)}`,
    )
    .join("");
  return `M${x(from).toFixed(1)} ${y(0)}${inner}L${x(points.length - 1).toFixed(1)} ${y(0)}Z`;
}
