// The view of the server: plots, methods and workers, asked for once a second while somebody looks.

import { announce, fill, h, seconds } from "./dom.js";
import { allBuckets, byMethod, parseMetrics, quantile, rates } from "./metrics.js";
import { LINES, plot } from "./plot.js";
import { authorized, call, hasToken } from "./rpc.js";
import { methodHash } from "./route.js";
import { serverLine, workersOf, workersTable } from "./workers.js";

const PERIOD = 1000;
const PATIENCE = 5000;

// Ask again for metrics that were not there only after so many rounds.
const METRICS_PAUSE = 30;

// So many methods are in the table.
const METHODS = 15;

/** The view: `{ element, start(), stop() }`. `document()` gives what describes the server. */
export function serverView(document_) {
  const head = h("div");
  const status = h("p.status", { role: "status" });
  const notice = h("p.status");
  const calls = plot("Calls per second", rate);
  const latency = plot("Latency", seconds, { least: 0.0001 });
  const flight = plot("Calls in flight", rate);
  const errors = plot("Errors per second", rate, { isSum: true });
  const plots = h("div.plots", calls.element, latency.element, flight.element, errors.element);
  const table = workersTable(kill);
  const methods = h("div");
  const closed = h("p.hint", "With the admin token, see “Access”, workers can be ended here.");
  const body = h("div", plots, h("h2", "Workers"), table.element, closed, methods);
  const none = h(
    "p.empty",
    { hidden: true },
    "This server tells nothing about itself to this caller. It may do so to one on its own machine, or with the admin token, see “Access”.",
  );
  const small = h("p.hint", "Looking costs the server one call a second, which is counted here too.");
  const element = h("article.server", h("h1", "Server"), head, status, notice, none, body, small);

  let running = false;
  let timer = 0;
  let before = null;
  let pause = 0;

  async function ask() {
    const api = document_();
    const command = api?.command("server_info");
    const signal = AbortSignal.timeout(PATIENCE);
    const [info, metrics] = await Promise.allSettled([
      command ? call(command.name, undefined, signal) : Promise.resolve(null),
      loadMetrics(signal),
    ]);
    // A method that refuses is an answer, too; a server that is gone gives none.
    if (info.status === "rejected" && info.reason.code === undefined && info.reason.status === undefined)
      throw info.reason;
    return { info: info.value ?? null, metrics: metrics.value ?? null, at: performance.now() / 1000 };
  }

  async function loadMetrics(signal) {
    if (pause > 0) {
      pause -= 1;
      return null;
    }
    const response = await fetch("metrics", { headers: authorized(), cache: "no-store", signal });
    if (!response.ok) {
      pause = METRICS_PAUSE;
      return null;
    }
    return byMethod(parseMetrics(await response.text()));
  }

  async function round() {
    clearTimeout(timer);
    if (!running || document.hidden) return;
    const began = performance.now();
    try {
      show(await ask());
      status.textContent = "";
      element.classList.remove("lost");
    } catch {
      if (status.textContent === "") status.textContent = "The server does not answer. Asking again…";
      element.classList.add("lost");
      for (const one of [calls, latency, flight, errors]) one.gap();
    }
    clearTimeout(timer);
    if (running) timer = setTimeout(round, Math.max(100, PERIOD - (performance.now() - began)));
  }

  function show(now) {
    const workers = workersOf(now.info);
    none.hidden = Boolean(now.info || now.metrics);
    body.hidden = !none.hidden;
    small.hidden = body.hidden;
    fill(head, now.info && serverLine(now.info));
    const canKill = hasToken() && Boolean(document_()?.command("kill_actor"));
    table.show(workers, canKill);
    closed.hidden = canKill || !workers.some((worker) => worker.isWorker);
    const figures = now.metrics ?? new Map(workers.map((worker) => [worker.id, worker]));
    plotAll({ ...now, figures }, workers);
    before = { ...now, figures };
    // New rows would take the focus away.
    if (!methods.contains(document.activeElement)) fill(methods, now.metrics && methodsTable(now.metrics));
    latency.element.hidden = !now.metrics;
  }

  function plotAll(now, workers) {
    const sum = (values) => [...values].reduce((all, value) => all + value, 0);
    flight.add(new Map([["in flight", sum([...now.figures.values()].map((one) => one.inFlight))]]));
    // Figures of another kind, or old ones, cannot be compared.
    const isComparable =
      before && Boolean(before.metrics) === Boolean(now.metrics) && now.at - before.at < 30;
    if (!isComparable) return;
    const period = now.at - before.at;
    calls.add(
      new Map([["all", sum(rates(now.figures, before.figures, period, (one) => one.calls).values())]]),
    );
    const failed = rates(now.figures, before.figures, period, (one) => one.errors);
    errors.add(now.metrics ? largest(failed, now.metrics) : new Map([["all methods", sum(failed.values())]]));
    if (!now.metrics) return;
    const buckets = allBuckets(now.metrics, before.metrics);
    latency.add(
      new Map([
        ["p50", quantile(buckets, 0.5)],
        ["p90", quantile(buckets, 0.9)],
        ["p99", quantile(buckets, 0.99)],
      ]),
    );
  }

  async function kill(id) {
    const command = document_()?.command("kill_actor");
    if (!command) return;
    try {
      const result = await call(command.name, [id]);
      notice.textContent =
        result === null ? `Worker ${id} was told to end, but has not yet.` : `Worker ${id} was ended.`;
    } catch (error) {
      notice.textContent = `Worker ${id} was not ended: ${error.message}`;
    }
    announce(notice.textContent);
    setTimeout(() => (notice.textContent = ""), 8000);
  }

  document.addEventListener("visibilitychange", round);
  return {
    element,
    start() {
      if (running) return;
      running = true;
      pause = 0;
      round();
    },
    stop() {
      running = false;
      clearTimeout(timer);
    },
  };
}

function rate(value) {
  return value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(2)));
}

/** The methods with most errors since the server's start, each a line; the others together. */
function largest(failed, metrics) {
  const names = [...metrics]
    .filter(([, one]) => one.errors > 0)
    .sort(([, a], [, b]) => b.errors - a.errors)
    .map(([name]) => name);
  const shown = names.length > LINES ? names.slice(0, LINES - 1) : names;
  const out = new Map(shown.map((name) => [label(name), failed.get(name) ?? 0]));
  if (shown.length < names.length)
    out.set(
      "all others",
      names.slice(shown.length).reduce((all, name) => all + (failed.get(name) ?? 0), 0),
    );
  return out;
}

function label(name) {
  return name === "" ? "no such method" : name.length > 60 ? `${name.slice(0, 60).toWellFormed()}…` : name;
}

function methodsTable(metrics) {
  const rows = [...metrics].filter(([, one]) => one.calls > 0).sort(([, a], [, b]) => b.calls - a.calls);
  if (!rows.length) return null;
  return [
    h("h2", "Busiest methods"),
    h(
      "div.scroller",
      { tabindex: 0, role: "region", "aria-label": "Busiest methods" },
      h(
        "table",
        h(
          "thead",
          h(
            "tr",
            ["Method", "Calls", "Errors", "p50", "p99"].map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h(
          "tbody",
          rows
            .slice(0, METHODS)
            .map(([name, one]) =>
              h(
                "tr",
                h(
                  "td",
                  name === ""
                    ? h("span.dim", label(name))
                    : h("a", { href: methodHash(name) }, h("code", label(name))),
                ),
                h("td", one.calls.toLocaleString("en")),
                h("td", one.errors.toLocaleString("en")),
                h("td", seconds(quantile(one.buckets, 0.5))),
                h("td", seconds(quantile(one.buckets, 0.99))),
              ),
            ),
        ),
      ),
    ),
  ];
}
