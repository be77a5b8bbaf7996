// Server dashboard: plots, workers and busiest methods, polled once a second while it is visible.

import { announce, h, setChildren } from "./dom.js";
import { formatSeconds } from "./format.js";
import { countersByMethod, parseMetrics, quantile, rates, sumBuckets } from "./metrics.js";
import { linePlot, MAX_LINES } from "./plot.js";
import { methodHash } from "./route.js";
import { call, hasToken, withToken } from "./rpc.js";
import { upstreamsTable } from "./upstreams.js";
import { serverLine, workersOf, workersTable } from "./workers.js";

const POLL_INTERVAL = 1000;
const TIMEOUT = 5000;

// Polls without a request for metrics after the server has refused one.
const METRICS_RETRY = 30;

// Rows of the table of methods.
const MAX_METHODS = 15;

/** The dashboard: `{ element, start(), stop() }`. `getApi()` returns the current description of the server. */
export function serverView(getApi) {
  const head = h("div");
  const status = h("p.status", { role: "status" });
  const notice = h("p.status");
  const calls = linePlot("Calls per second", formatRate);
  const latency = linePlot("Latency", formatSeconds, { least: 0.0001 });
  const inFlight = linePlot("Calls in flight", formatRate);
  const errors = linePlot("Errors per second", formatRate, { isSum: true });
  const plots = h("div.plots", calls.element, latency.element, inFlight.element, errors.element);
  const table = workersTable(endWorker);
  const methods = h("div");
  const upstreams = h("div");
  const tokenHint = h("p.hint", "With the admin token, see “Access”, workers can be ended here.");
  const body = h("div", plots, h("h2", "Workers"), table.element, tokenHint, upstreams, methods);
  const emptyNote = h(
    "p.empty",
    { hidden: true },
    "This server tells nothing about itself to this caller. It may do so to one on its own machine, or with the admin token, see “Access”.",
  );
  const costNote = h("p.hint", "Looking costs the server a call a second, or two, which are counted here too.");
  const element = h("article.server", h("h1", "Server"), head, status, notice, emptyNote, body, costNote);

  let running = false;
  let timer = 0;
  let previous = null;
  let metricsPause = 0;

  async function fetchStatus() {
    const api = getApi();
    const command = api?.command("server_info");
    const signal = AbortSignal.timeout(TIMEOUT);
    const listing = api?.command("upstreams_list");
    const [info, metrics, servers] = await Promise.allSettled([
      command ? call(command.name, undefined, signal) : Promise.resolve(null),
      loadMetrics(signal),
      listing ? call(listing.name, undefined, signal) : Promise.resolve(null),
    ]);
    // An error response shows that the server is alive. Only a failed request counts as lost.
    if (info.status === "rejected" && info.reason.code === undefined && info.reason.status === undefined)
      throw info.reason;
    const upstreams = servers.value ?? null;
    return { info: info.value ?? null, metrics: metrics.value ?? null, upstreams, at: performance.now() / 1000 };
  }

  async function loadMetrics(signal) {
    if (metricsPause > 0) {
      metricsPause -= 1;
      return null;
    }
    const response = await fetch("metrics", { headers: withToken(), cache: "no-store", signal });
    if (!response.ok) {
      metricsPause = METRICS_RETRY;
      return null;
    }
    return countersByMethod(parseMetrics(await response.text()));
  }

  async function poll() {
    clearTimeout(timer);
    if (!running || document.hidden) return;
    const began = performance.now();
    try {
      show(await fetchStatus());
      status.textContent = "";
      element.classList.remove("lost");
    } catch {
      if (status.textContent === "") status.textContent = "The server does not answer. Asking again…";
      element.classList.add("lost");
      for (const one of [calls, latency, inFlight, errors]) one.gap();
    }
    clearTimeout(timer);
    if (running) timer = setTimeout(poll, Math.max(100, POLL_INTERVAL - (performance.now() - began)));
  }

  function show(now) {
    const workers = workersOf(now.info);
    emptyNote.hidden = Boolean(now.info || now.metrics);
    body.hidden = !emptyNote.hidden;
    costNote.hidden = body.hidden;
    setChildren(head, now.info && serverLine(now.info));
    setChildren(upstreams, upstreamsTable(now.upstreams));
    const canKill = hasToken() && Boolean(getApi()?.command("kill_actor"));
    table.show(workers, canKill);
    tokenHint.hidden = canKill || !workers.some((worker) => worker.isWorker);
    const figures = now.metrics ?? new Map(workers.map((worker) => [worker.id, worker]));
    plotAll({ ...now, figures });
    previous = { ...now, figures };
    // Replacing the rows would move the keyboard focus.
    if (!methods.contains(document.activeElement))
      setChildren(methods, now.metrics && methodsTable(now.metrics));
    latency.element.hidden = !now.metrics;
  }

  function plotAll(now) {
    const sum = (values) => [...values].reduce((all, value) => all + value, 0);
    inFlight.add(new Map([["in flight", sum([...now.figures.values()].map((one) => one.inFlight))]]));
    // Rates need two samples from the same source that are not far apart.
    const isComparable =
      previous && Boolean(previous.metrics) === Boolean(now.metrics) && now.at - previous.at < 30;
    if (!isComparable) return;
    const period = now.at - previous.at;
    calls.add(
      new Map([["all", sum(rates(now.figures, previous.figures, period, (one) => one.calls).values())]]),
    );
    const failed = rates(now.figures, previous.figures, period, (one) => one.errors);
    errors.add(
      now.metrics ? topErrors(failed, now.metrics) : new Map([["all methods", sum(failed.values())]]),
    );
    if (!now.metrics) return;
    const buckets = sumBuckets(now.metrics, previous.metrics);
    latency.add(
      new Map([
        ["p50", quantile(buckets, 0.5)],
        ["p90", quantile(buckets, 0.9)],
        ["p99", quantile(buckets, 0.99)],
      ]),
    );
  }

  async function endWorker(id) {
    const command = getApi()?.command("kill_actor");
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

  document.addEventListener("visibilitychange", poll);
  return {
    element,
    start() {
      if (running) return;
      running = true;
      metricsPause = 0;
      poll();
    },
    stop() {
      running = false;
      clearTimeout(timer);
    },
  };
}

function formatRate(value) {
  return value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(2)));
}

/** Error rates: one line for each method with the most errors since the start, one for all others. */
function topErrors(failed, metrics) {
  const names = [...metrics]
    .filter(([, one]) => one.errors > 0)
    .sort(([, a], [, b]) => b.errors - a.errors)
    .map(([name]) => name);
  const shown = names.length > MAX_LINES ? names.slice(0, MAX_LINES - 1) : names;
  const out = new Map(shown.map((name) => [methodLabel(name), failed.get(name) ?? 0]));
  if (shown.length < names.length)
    out.set(
      "all others",
      names.slice(shown.length).reduce((all, name) => all + (failed.get(name) ?? 0), 0),
    );
  return out;
}

function methodLabel(name) {
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
            .slice(0, MAX_METHODS)
            .map(([name, one]) =>
              h(
                "tr",
                h(
                  "td",
                  name === ""
                    ? h("span.dim", methodLabel(name))
                    : h("a", { href: methodHash(name) }, h("code", methodLabel(name))),
                ),
                h("td", one.calls.toLocaleString("en")),
                h("td", one.errors.toLocaleString("en")),
                h("td", formatSeconds(quantile(one.buckets, 0.5))),
                h("td", formatSeconds(quantile(one.buckets, 0.99))),
              ),
            ),
        ),
      ),
    ),
  ];
}
