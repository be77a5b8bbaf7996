// Line plot of the last two minutes, as SVG with a scale and a legend.

import { h, setChildren, svg } from "./dom.js";

// Points of a line, one for each second.
const MAX_POINTS = 120;

// Lines of a plot. Callers sum up the rest.
export const MAX_LINES = 5;

const HEIGHT = 150;
const TOP = 16;
const BOTTOM = 18;

/**
 * A plot: `{ element, add(values), gap() }`. `values` is a `Map` from the names of lines to numbers,
 * where NaN is a gap. `format` turns a number into text. With `isSum` the sum of the lines is shown.
 */
export function linePlot(title, format, { least = 1, isSum = false } = {}) {
  const currentValue = h("span.big", "–");
  const legend = h("ul.legend");
  const drawing = svg("svg.drawing", { role: "img", "aria-label": title, height: HEIGHT });
  const element = h("figure.plot", h("figcaption", h("span.title", title), currentValue), drawing, legend);
  const lines = new Map();
  let length = 0;
  let hovered = null;

  function add(values) {
    length = Math.min(length + 1, MAX_POINTS);
    for (const name of values.keys()) if (!lines.has(name)) lines.set(name, new Array(length - 1).fill(NaN));
    for (const [name, points] of lines) {
      points.push(values.get(name) ?? NaN);
      if (points.length > MAX_POINTS) points.shift();
      // A line without a visible point is removed.
      if (points.every(Number.isNaN) && lines.size > MAX_LINES) lines.delete(name);
    }
    render();
  }

  function render() {
    const width = Math.max(drawing.clientWidth, 200);
    const all = [...lines.values()].flat().filter(Number.isFinite);
    const top = roundUp(all.reduce((a, b) => Math.max(a, b), least));
    const x = (at) => width - 1 - (length - 1 - at) * ((width - 2) / (MAX_POINTS - 1));
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
      svg(`path.line.s${at % MAX_LINES}`, { d: linePath(points, x, y) }),
    );
    const first = [...lines.values()];
    const area = first.length === 1 && svg("path.area.s0", { d: areaPath(first[0], x, y) });
    const cursor =
      hovered !== null &&
      hovered < length &&
      svg("line.rule", { x1: x(hovered), x2: x(hovered), y1: TOP, y2: HEIGHT - BOTTOM });
    setChildren(drawing, grid, ends, area, paths, cursor);
    renderLegend();
  }

  function renderLegend() {
    const at = hovered ?? length - 1;
    const entries = [...lines].map(([name, points]) => [name, points[at]]);
    const text = (value) => (Number.isFinite(value) ? format(value) : "–");
    const sum = entries.reduce((all, [, value]) => all + (value || 0), 0);
    if (isSum) currentValue.textContent = text(sum);
    else if (entries.length === 1) currentValue.textContent = text(entries[0][1]);
    else currentValue.textContent = entries.length ? "" : "–";
    setChildren(
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
    const back = ((box.right - event.clientX) / box.width) * (MAX_POINTS - 1);
    hovered = Math.max(0, Math.min(length - 1, Math.round(length - 1 - back)));
    render();
  });
  drawing.addEventListener("pointerleave", () => {
    hovered = null;
    render();
  });
  // The drawing depends on the width of the element, which is known later and may change.
  new ResizeObserver(render).observe(drawing);
  return { element, add, gap: () => add(new Map()) };
}

function svgDot(line) {
  return svg(
    "svg.dot",
    { viewBox: "0 0 8 8", "aria-hidden": "true" },
    svg(`circle.s${line % MAX_LINES}`, { cx: 4, cy: 4, r: 3.5 }),
  );
}

/** The next larger round number. */
function roundUp(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 6, 8, 10].map((step) => step * unit).find((step) => step >= value * 0.999);
}

function linePath(points, x, y) {
  let out = "";
  let isDrawing = false;
  points.forEach((value, at) => {
    if (!Number.isFinite(value)) isDrawing = false;
    else {
      out += `${isDrawing ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      // A single point is a line of length 0. The round line cap makes it visible.
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
