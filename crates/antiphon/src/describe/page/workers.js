// Table of workers and summary of the server, from the result of `server_info`.
//
// Rows are updated in place, so that a button does not move or lose the focus.

import { confirmDialog } from "./dialogs.js";
import { h, setChildren } from "./dom.js";
import { formatBytes, formatSeconds } from "./format.js";

const COLUMNS = [
  ["id", "Worker"],
  ["pid", "Process"],
  ["state", "State"],
  ["uptime", "Uptime"],
  ["calls", "Calls"],
  ["inFlight", "In flight"],
  ["connections", "Connections"],
  ["errors", "Errors"],
  ["memory", "Memory"],
  ["cpu", "CPU"],
];

/** The workers in a result of `server_info`. A server without workers is one row itself. */
export function workersOf(info) {
  const monitors = Object.values(info?.monitors ?? {});
  const workers = monitors.flatMap((monitor) => (Array.isArray(monitor?.workers) ? monitor.workers : []));
  if (workers.length)
    return workers.map((worker) =>
      workerFigures(worker?.actor, worker?.rpcserver?.clients, worker?.system, true),
    );
  const [alone] = monitors.filter((monitor) => monitor?.rpcserver);
  return alone ? [workerFigures(info.server, alone.rpcserver.clients, info.system, false)] : [];
}

function workerFigures(actor = {}, clients = {}, system = {}, isWorker) {
  return {
    id: String(actor?.actor_id ?? ""),
    pid: actor?.process_id,
    state: String(actor?.state ?? ""),
    uptime: actor?.uptime,
    calls: clients?.requests_processed ?? 0,
    errors: clients?.requests_failed ?? 0,
    inFlight: clients?.requests_in_flight ?? 0,
    connections: clients?.connected_clients ?? 0,
    memory: system?.memory ?? 0,
    cpuSeconds: system?.cpu_seconds ?? 0,
    isWorker,
  };
}

/** The table: `{ element, show(workers, canKill) }`. `endWorker(id)` is called after confirmation. */
export function workersTable(endWorker) {
  const body = h("tbody");
  const element = h(
    "div.scroller",
    { tabindex: 0, role: "region", "aria-label": "Workers" },
    h(
      "table.workers",
      h(
        "thead",
        h(
          "tr",
          COLUMNS.map(([, label]) => h("th", { scope: "col" }, label)),
          h("th", { scope: "col" }, h("span.offstage", "Actions")),
        ),
      ),
      body,
    ),
  );
  const rows = new Map();

  function makeRow(worker) {
    const cells = new Map(COLUMNS.map(([key, label]) => [key, h("td", { "data-label": label })]));
    const button = h(
      "button.small.danger",
      { type: "button", "aria-label": `End worker ${worker.id}` },
      "End",
    );
    button.addEventListener("click", async () => {
      const isSure = await confirmDialog(
        `End worker ${worker.id}?`,
        "It gets time to finish its calls, and another one takes its place.",
        "End it",
      );
      if (!isSure) return;
      button.disabled = true;
      await endWorker(worker.id);
      button.disabled = false;
    });
    const last = h("td.actions-cell", button);
    return {
      row: h("tr", { "data-worker": worker.id }, ...cells.values(), last),
      cells,
      button,
      before: null,
    };
  }

  return {
    element,
    show(workers, canKill) {
      const now = performance.now() / 1000;
      for (const [id, { row }] of rows) {
        if (workers.some((worker) => worker.id === id)) continue;
        row.remove();
        rows.delete(id);
      }
      for (const worker of workers) {
        if (!rows.has(worker.id)) {
          rows.set(worker.id, makeRow(worker));
          body.append(rows.get(worker.id).row);
        }
        const entry = rows.get(worker.id);
        const { before } = entry;
        const cpu =
          before && now > before.at
            ? Math.max(0, ((worker.cpuSeconds - before.cpu) / (now - before.at)) * 100)
            : NaN;
        // Workers report only from time to time, so the value is an average over five seconds.
        if (!before || now - before.at > 5) entry.before = { at: now, cpu: worker.cpuSeconds };
        if (!before || now - before.at > 1.5)
          entry.shown = Number.isFinite(cpu) ? `${cpu.toFixed(0)} %` : "–";
        const text = {
          ...worker,
          uptime: formatSeconds(worker.uptime),
          memory: formatBytes(worker.memory),
          cpu: entry.shown,
        };
        for (const [key] of COLUMNS) {
          const value =
            typeof text[key] === "number" && key !== "pid"
              ? text[key].toLocaleString("en")
              : String(text[key] ?? "–");
          const cell = entry.cells.get(key);
          if (cell.textContent !== value) cell.textContent = value;
        }
        entry.row.dataset.state = worker.state;
        entry.button.hidden = !(canKill && worker.isWorker);
      }
    },
  };
}

/** The summary of the server in one line. */
export function serverLine(info) {
  const server = info?.server ?? {};
  const parts = [
    `${server.name ?? "server"} ${server.version ?? ""}`,
    server.state,
    `up ${formatSeconds(server.uptime)}`,
    `process ${server.process_id}`,
    server.reloading && "reloading",
    server.upgrading && "upgrading",
  ].filter(Boolean);
  const listeners = Array.isArray(server.listeners) ? server.listeners : [];
  return setChildren(
    h("p.server-line"),
    h("span", parts.join(" · ")),
    listeners.map((url) => h("code", String(url))),
  );
}
