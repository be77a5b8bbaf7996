//! Status of a server as a table.
//!
//! Every value that is missing or of an unexpected type is shown as a dash, so that servers of
//! other versions can still be displayed.

use serde_json::Value;

use super::human;
use super::rates::{Rate, Rates};
use crate::output::harmless;

/// Line width in characters; it fits most terminals.
const WIDTH: usize = 80;

/// Maximum length of a cell in characters, so that no text from a server breaks the layout.
const CELL: usize = 24;
const FACT: usize = 200;

/// Maximum count of workers and listeners.
const ROWS: usize = 1000;
const LISTENERS: usize = 50;

/// Placeholder for unknown values.
const UNKNOWN: &str = "-";

/// A column: its heading, whether it is right-aligned, and the function that formats a cell.
type Column = (&'static str, bool, fn(&Worker<'_>) -> Option<String>);

const COLUMNS: [Column; 11] = [
    ("ID", false, |w| w.text("/actor/actor_id")),
    ("PID", true, |w| w.text("/actor/process_id")),
    ("STATE", false, |w| w.text("/actor/state")),
    ("UPTIME", true, |w| {
        w.number("/actor/uptime").map(human::time)
    }),
    ("CALLS", true, |w| w.count("requests_processed")),
    ("ERRS", true, |w| w.count("requests_failed")),
    ("BUSY", true, |w| w.count("requests_in_flight")),
    ("CONNS", true, |w| w.count("connected_clients")),
    ("MEM", true, |w| {
        w.number("/system/memory").map(human::bytes)
    }),
    ("CPU", true, |w| w.cpu().map(human::share)),
    ("SEEN", true, |w| {
        w.number("/seconds_since_notified").map(human::time)
    }),
];

/// The column that needs two samples. It is inserted before the last column.
const CALLS_A_SECOND: Column = ("CALLS/S", true, |w| {
    w.rate.map(|rate| human::rate(rate.calls))
});

/// Options of the table.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look<'a> {
    /// Rates, if there has been more than one sample.
    pub(super) rates: Option<&'a Rates>,
    pub(super) color: bool,
}

/// Renders the server and its workers, without a trailing newline.
pub(super) fn render(status: &Value, look: Look<'_>) -> String {
    let mut lines = facts(status);
    lines.push(String::new());
    let workers = workers(status);
    match workers.is_empty() {
        true => lines.push("no workers".to_owned()),
        false => lines.extend(rows(&workers, look)),
    }
    if let Some(more) = workers.len().checked_sub(ROWS).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

/// All workers, whichever supervisor they belong to.
pub(super) fn workers(status: &Value) -> Vec<&Value> {
    let monitors = status.get("monitors").and_then(Value::as_object);
    let lists = monitors.into_iter().flat_map(|monitors| monitors.values());
    lists
        .filter_map(|monitor| monitor.get("workers")?.as_array())
        .flatten()
        .collect()
}

/// The lines about the server itself.
fn facts(status: &Value) -> Vec<String> {
    let server = |name: &str| status.get("server").and_then(|server| server.get(name));
    let text = |name: &str| cell(server(name), CELL).unwrap_or_else(|| UNKNOWN.to_owned());
    let uptime = server("uptime").and_then(Value::as_f64).map(human::time);
    let mut facts = vec![(
        "server",
        format!(
            "{}, pid {}, up {}, {} {}",
            text("state"),
            text("process_id"),
            uptime.as_deref().unwrap_or(UNKNOWN),
            text("name"),
            text("version"),
        ),
    )];
    let under_way: Vec<_> = ["reloading", "upgrading"]
        .into_iter()
        .filter(|name| server(name) == Some(&Value::Bool(true)))
        .collect();
    if !under_way.is_empty() {
        facts.push(("now", under_way.join(", ")));
    }
    let listeners = server("listeners").and_then(Value::as_array);
    let listeners = listeners.map_or(&[][..], Vec::as_slice);
    for listener in listeners.iter().take(LISTENERS) {
        let url = cell(Some(listener), FACT).unwrap_or_else(|| UNKNOWN.to_owned());
        facts.push(("listener", url));
    }
    if listeners.len() > LISTENERS {
        let more = listeners.len() - LISTENERS;
        facts.push(("listener", format!("and {more} more")));
    }
    let line = |(name, fact): (&str, String)| format!("{name:<8}  {fact}");
    facts.into_iter().map(line).collect()
}

/// The heading of the table and one line per worker.
fn rows(workers: &[&Value], look: Look<'_>) -> Vec<String> {
    let mut columns = COLUMNS.to_vec();
    if look.rates.is_some() {
        columns.insert(columns.len() - 1, CALLS_A_SECOND);
    }
    let heads = columns.iter().map(|(head, ..)| (*head).to_owned());
    let mut table = vec![heads.collect::<Vec<_>>()];
    for &value in workers.iter().take(ROWS) {
        let rate = look.rates.and_then(|rates| rates.of(value));
        let worker = Worker { value, rate };
        let cells = columns.iter().map(|(.., of)| of(&worker));
        table.push(
            cells
                .map(|cell| cell.unwrap_or_else(|| UNKNOWN.to_owned()))
                .collect(),
        );
    }
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| table.iter().map(|row| width(&row[at])).max().unwrap_or(0))
        .collect();
    let gaps = columns.len() - 1;
    let gap = match widths.iter().sum::<usize>() + 2 * gaps <= WIDTH {
        true => "  ",
        false => " ",
    };
    let aligned = table.iter().map(|row| {
        let cells = row.iter().zip(&columns).zip(&widths);
        let cells = cells.map(|((cell, (_, right, _)), &width)| match right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        cells.collect::<Vec<_>>().join(gap)
    });
    let mut lines: Vec<String> = aligned.collect();
    if let Some(head) = lines.first_mut().filter(|_| look.color) {
        *head = format!("\u{1b}[1m{head}\u{1b}[0m");
    }
    lines
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// A worker's status, and its rates if they are known.
struct Worker<'a> {
    value: &'a Value,
    rate: Option<Rate>,
}

impl Worker<'_> {
    fn text(&self, path: &str) -> Option<String> {
        cell(self.value.pointer(path), CELL)
    }

    fn number(&self, path: &str) -> Option<f64> {
        let number = self.value.pointer(path)?.as_f64();
        number.filter(|number| *number >= 0.0)
    }

    /// A count from the worker's RPC statistics.
    fn count(&self, name: &str) -> Option<String> {
        let number = self.number(&format!("/rpcserver/clients/{name}"));
        number.map(human::count)
    }

    /// CPU usage: the recent rate if it is known, otherwise the average since the worker started.
    fn cpu(&self) -> Option<f64> {
        if let Some(rate) = self.rate {
            return Some(rate.cpu);
        }
        let uptime = self
            .number("/actor/uptime")
            .filter(|uptime| *uptime > 0.0)?;
        Some(self.number("/system/cpu_seconds")? / uptime)
    }
}

/// The text of a cell: a string or a number, shortened and without control characters.
fn cell(value: Option<&Value>, max: usize) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let mut cut: String = text.chars().take(max + 1).collect();
    if width(&cut) > max {
        cut = cut.chars().take(max - 1).chain(['…']).collect();
    }
    (!cut.is_empty()).then(|| harmless(&cut))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn worker(id: &str, uptime: f64, calls: u64) -> Value {
        json!({
            "actor": {
                "actor_id": id, "process_id": 15829, "state": "running", "uptime": uptime,
            },
            "rpcserver": {"clients": {
                "connected_clients": 3, "requests_processed": calls, "requests_failed": 7,
                "requests_in_flight": 2,
            }},
            "system": {"cpu_seconds": 1.5, "memory": 17_936_384},
            "seconds_since_notified": 0.97,
        })
    }

    fn server() -> Value {
        json!({
            "name": "antiphon", "version": "0.1.0", "state": "running", "process_id": 15827,
            "uptime": 3725.2, "listeners": ["http://127.0.0.1:8060"],
            "reloading": false, "upgrading": false,
        })
    }

    #[test]
    fn a_status_becomes_a_table() {
        let mut busy = server();
        busy["reloading"] = json!(true);
        busy["listeners"] = json!(["http://h:1", "unix:/s\u{1b}[2J"]);
        let odd = json!({
            "actor": {"actor_id": "a\u{1b}]0;x\u{7}\nb", "state": "x".repeat(30), "uptime": "1"},
            "rpcserver": {"clients": {"requests_processed": -1, "requests_failed": null}},
            "system": [],
        });
        let table = [
            (
                "two workers",
                json!({
                    "server": server(),
                    "monitors": {"rpc": {"workers": [
                        worker("i359219d", 30.0, 12), worker("i07db5db", 3600.0, 1_234_567),
                    ]}},
                }),
                "\
server    running, pid 15827, up 1h02m, antiphon 0.1.0
listener  http://127.0.0.1:8060

ID          PID  STATE    UPTIME  CALLS  ERRS  BUSY  CONNS    MEM   CPU  SEEN
i359219d  15829  running     30s     12     7     2      3  17.1M  5.0%  1.0s
i07db5db  15829  running   1h00m  1.23M     7     2      3  17.1M  0.0%  1.0s",
            ),
            (
                "none, and a reload",
                json!({"server": busy, "monitors": {"rpc": {"workers": []}}}),
                "\
server    running, pid 15827, up 1h02m, antiphon 0.1.0
now       reloading
listener  http://h:1
listener  unix:/s\u{fffd}[2J

no workers",
            ),
            (
                "nothing at all",
                json!(null),
                "server    -, pid -, up -, - -\n\nno workers",
            ),
            (
                "everything of another kind",
                json!({"server": 3, "monitors": {"a": 1, "b": {"workers": {}}}}),
                "server    -, pid -, up -, - -\n\nno workers",
            ),
            (
                "odd workers",
                json!({"monitors": {"a": {"workers": [odd]}, "b": {"workers": [5]}}}),
                "\
server    -, pid -, up -, - -

ID        PID STATE                    UPTIME CALLS ERRS BUSY CONNS MEM CPU SEEN
a\u{fffd}]0;x\u{fffd}\u{fffd}b   - xxxxxxxxxxxxxxxxxxxxxxx…      -     -    -    -     -   -   -    -
-           - -                             -     -    -    -     -   -   -    -",
            ),
        ];
        for (what, status, expected) in table {
            let text = render(&status, Look::default());
            assert_eq!(text, expected, "{what}:\n{text}");
        }
    }

    #[test]
    fn later_looks_know_what_happens_in_a_second() {
        let status = |uptime, calls| json!({"monitors": {"rpc": {"workers": [worker("i359219d", uptime, calls)]}}});
        let mut rates = Rates::default();
        let mut row = |status: &Value| {
            rates.look(&workers(status));
            let look = Look {
                rates: Some(&rates),
                color: false,
            };
            let text = render(status, look);
            text.lines().last().map(str::to_owned)
        };
        let first = row(&status(30.0, 12)).unwrap();
        assert!(first.ends_with(" 17.1M 5.0%       - 1.0s"), "{first}");
        let second = row(&status(32.0, 17)).unwrap();
        assert!(second.ends_with(" 17.1M 0.0%     2.5 1.0s"), "{second}");
    }

    #[test]
    fn a_full_table_fits_a_terminal() {
        let mut large = worker("i359219d", 8_640_000.0, u64::MAX);
        large["actor"]["process_id"] = json!(4_194_304);
        large["actor"]["state"] = json!("starting");
        let status = json!({"monitors": {"rpc": {"workers": [large]}}});
        let rates = Rates::default();
        for rates in [None, Some(&rates)] {
            let look = Look {
                rates,
                color: false,
            };
            for line in render(&status, look).lines() {
                assert!(width(line) <= WIDTH, "{}: {line}", width(line));
            }
        }
    }

    #[test]
    fn only_the_head_has_a_colour() {
        let status = json!({"monitors": {"rpc": {"workers": [worker("i1", 1.0, 1)]}}});
        let plain = render(&status, Look::default());
        let look = Look {
            rates: None,
            color: true,
        };
        let colored = render(&status, look);
        assert_eq!(colored.matches('\u{1b}').count(), 2);
        let bare = colored.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert_eq!(bare, plain);
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let many: Vec<_> = (0..ROWS + 2).map(|_| worker("i1", 1.0, 1)).collect();
        let listeners: Vec<_> = (0..LISTENERS + 1).map(|at| format!("h:{at}")).collect();
        let status = json!({
            "server": {"listeners": listeners}, "monitors": {"rpc": {"workers": many}},
        });
        let text = render(&status, Look::default());
        assert!(text.contains("listener  and 1 more"), "{text}");
        assert!(text.ends_with("\nand 2 more"), "{text}");
    }
}
