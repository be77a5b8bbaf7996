//! The status of a server as a table for people.

use serde_json::Value;

/// The columns of the table of workers.
const COLUMNS: [&str; 11] = [
    "ID", "PID", "STATE", "UP", "CALLS", "PER S", "ERRORS", "BUSY", "CONNS", "MEMORY", "CPU",
];

/// The first columns that are texts; figures are aligned to the right.
const TEXTS: [usize; 2] = [0, 2];

/// The whole status. With the one before it, rates are those since then, and else over all.
pub(super) fn of(status: &Value, before: Option<&Value>) -> String {
    let server = &status["server"];
    let mut text = format!(
        "{} {}, {} for {}, process {}",
        word(&server["name"]),
        word(&server["version"]),
        word(&server["state"]),
        span(server["uptime"].as_f64()),
        count(&server["process_id"]),
    );
    for (member, said) in [("reloading", "; reloading"), ("upgrading", "; upgrading")] {
        if server[member] == true {
            text.push_str(said);
        }
    }
    for listener in server["listeners"].as_array().into_iter().flatten() {
        text.push_str("\nlistening on ");
        text.push_str(&word(listener));
    }
    let workers = workers(status);
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(workers.iter().map(|worker| row(worker, before)));
    text.push_str("\n\n");
    text.push_str(&align(&rows));
    let wanted = status["monitors"]["rpc"]["server"]["wanted_actors"].as_u64();
    if let Some(wanted) = wanted.filter(|wanted| *wanted > workers.len() as u64) {
        text.push_str(&format!(
            "\n{} of {wanted} workers are there",
            workers.len()
        ));
    }
    text
}

fn workers(status: &Value) -> Vec<&Value> {
    let workers = status["monitors"]["rpc"]["workers"].as_array();
    workers.into_iter().flatten().collect()
}

fn row(worker: &Value, before: Option<&Value>) -> [String; 11] {
    let actor = &worker["actor"];
    let clients = &worker["rpcserver"]["clients"];
    let earlier = before.map(workers).unwrap_or_default();
    let earlier =
        (earlier.into_iter()).find(|other| other["actor"]["actor_id"] == actor["actor_id"]);
    // What has changed, for each second in which it has.
    let rate = |value: &dyn Fn(&Value) -> Option<f64>| -> Option<f64> {
        let zero = || Some(0.0);
        let then = earlier.map_or_else(zero, value)?;
        let since = earlier.map_or_else(zero, |earlier| earlier["actor"]["uptime"].as_f64())?;
        let seconds = actor["uptime"].as_f64()? - since;
        (seconds > 0.0).then_some((value(worker)? - then) / seconds)
    };
    let calls = rate(&|one| one["rpcserver"]["clients"]["requests_processed"].as_f64());
    let cpu = rate(&|one| one["system"]["cpu_seconds"].as_f64());
    [
        word(&actor["actor_id"]),
        count(&actor["process_id"]),
        word(&actor["state"]),
        span(actor["uptime"].as_f64()),
        count(&clients["requests_processed"]),
        calls.map_or_else(none, |calls| format!("{calls:.0}")),
        count(&clients["requests_failed"]),
        count(&clients["requests_in_flight"]),
        count(&clients["connected_clients"]),
        size(worker["system"]["memory"].as_f64()),
        cpu.map_or_else(none, |share| format!("{:.0}%", share * 100.0)),
    ]
}

/// Columns as wide as they have to be.
fn align(rows: &[[String; 11]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..COLUMNS.len()).map(width).collect();
    let line = |row: &[String; 11]| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells: Vec<_> = cells
            .map(|(column, (cell, &width))| match TEXTS.contains(&column) {
                true => format!("{cell:<width$}"),
                false => format!("{cell:>width$}"),
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A text of the server's, without anything that a terminal would obey.
fn word(value: &Value) -> String {
    let text = value.as_str().unwrap_or("?");
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(120).map(shown).collect()
}

fn count(value: &Value) -> String {
    value
        .as_u64()
        .map_or_else(none, |number| number.to_string())
}

fn none() -> String {
    "-".to_owned()
}

/// Seconds, as people say them.
fn span(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) else {
        return none();
    };
    let seconds = seconds as u64;
    match (
        seconds / 86400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    ) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, s) => format!("{m}m{s:02}s"),
        (0, h, m, _) => format!("{h}h{m:02}m"),
        (d, h, ..) => format!("{d}d{h:02}h"),
    }
}

/// Bytes, as people say them.
fn size(bytes: Option<f64>) -> String {
    let Some(bytes) = bytes.filter(|bytes| *bytes > 0.0) else {
        return none();
    };
    let mebibytes = bytes / (1024.0 * 1024.0);
    match mebibytes {
        few if few < 10.0 => format!("{few:.1}M"),
        some if some < 1024.0 => format!("{some:.0}M"),
        many => format!("{:.1}G", many / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(calls: u64, uptime: f64) -> Value {
        json!({
            "server": {
                "name": "antiphon", "version": "0.1.0", "state": "running", "uptime": 3725.2,
                "process_id": 17, "listeners": ["http://127.0.0.1:8060"], "reloading": true,
            },
            "monitors": { "rpc": { "server": { "wanted_actors": 2 }, "workers": [{
                "actor": {
                    "actor_id": "i1f3a9c2", "process_id": 4711, "state": "running", "uptime": uptime,
                },
                "rpcserver": { "clients": {
                    "requests_processed": calls, "requests_failed": 3, "requests_in_flight": 1,
                    "connected_clients": 12,
                } },
                "system": { "memory": 19_000_000, "cpu_seconds": uptime / 4.0 },
            }] } },
        })
    }

    #[test]
    fn a_status_is_a_table() {
        let expected = "\
antiphon 0.1.0, running for 1h02m, process 17; reloading
listening on http://127.0.0.1:8060

ID         PID  STATE     UP  CALLS  PER S  ERRORS  BUSY  CONNS  MEMORY  CPU
i1f3a9c2  4711  running  50s   1000     20       3     1     12     18M  25%
1 of 2 workers are there";
        assert_eq!(of(&status(1000, 50.0), None), expected);
        let later = of(&status(1300, 52.0), Some(&status(1000, 50.0)));
        assert!(later.contains("   1300    150  "), "{later}");
    }

    #[test]
    fn what_is_missing_or_hostile_is_shown_as_such() {
        let text = of(&json!({}), None);
        assert!(text.starts_with("? ?, ? for -, process -\n\nID"), "{text}");
        let hostile = json!({ "server": { "name": "\u{1b}[2Jboo" } });
        assert!(!of(&hostile, None).contains('\u{1b}'));
    }

    #[test]
    fn spans_and_sizes() {
        for (seconds, text) in [
            (0.4, "0s"),
            (61.0, "1m01s"),
            (7260.0, "2h01m"),
            (90_000.0, "1d01h"),
        ] {
            assert_eq!(span(Some(seconds)), text);
        }
        for (bytes, text) in [(0.0, "-"), (3e6, "2.9M"), (5e8, "477M"), (5e9, "4.7G")] {
            assert_eq!(size(Some(bytes)), text);
        }
    }
}
