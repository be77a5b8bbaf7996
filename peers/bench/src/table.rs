//! Markdown tables of CPU time, memory and workers: medians of the rounds, and ratios to jsonrpsee
//! and the floor.

use crate::cases::{Case, Form};
use crate::finding::Relay;
use crate::row::{BASELINE, FLOOR, Row, State};
use crate::statistics::{NONE, Spread, cell, median, relative_range, spread_cell};
use crate::window::Sample;

/// A table of its own for each kind of case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cpu,
    Scale,
    Memory,
    Turns,
    Relay,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Cpu,
        Self::Scale,
        Self::Memory,
        Self::Turns,
        Self::Relay,
    ];

    fn of(case: Case) -> Self {
        match (case, case.form()) {
            (Case::Scale(_), _) => Self::Scale,
            (_, Form::Memory) => Self::Memory,
            (_, Form::Turns) => Self::Turns,
            (_, Form::Relay) => Self::Relay,
            _ => Self::Cpu,
        }
    }

    /// The columns after case and peer.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Cpu | Self::Scale => &[
                "calls/s",
                "user µs",
                "kernel µs",
                "user ÷ jsonrpsee",
                "kernel ÷ jsonrpsee",
                "CPU ÷ jsonrpsee",
                "CPU ÷ floor",
                "spread",
            ],
            Self::Memory => &[
                "KiB held",
                "after a call",
                "held ÷ jsonrpsee",
                "held ÷ floor",
                "cut after s",
            ],
            Self::Turns => &["largest ÷ mean", "smallest", "in the last round"],
            Self::Relay => &["items/s", "p50 ms", "p99 ms", "supervisor µs", "workers µs"],
        }
    }

    fn cells(self, row: &Row, rows: &[Row]) -> Vec<String> {
        match self {
            Self::Cpu | Self::Scale => cpu_cells(row, rows),
            Self::Memory => memory_cells(row, rows),
            Self::Turns => turn_cells(row),
            Self::Relay => relay_cells(row),
        }
    }
}

fn cpu_cells(row: &Row, rows: &[Row]) -> Vec<String> {
    let median_of = |figure: fn(&Sample) -> f64| median(&row.figures(figure));
    let ratio_to = |peer, figure: fn(&Sample) -> f64| {
        spread_cell(row.ratio_to(rows, peer, |row| row.figures(figure)))
    };
    let percent = |percent| format!("{percent:.0} %");
    vec![
        cell(median_of(|sample| sample.calls_per_second)),
        cell(median_of(|sample| sample.user_us)),
        cell(median_of(|sample| sample.kernel_us)),
        ratio_to(BASELINE, |sample| sample.user_us),
        ratio_to(BASELINE, |sample| sample.kernel_us),
        ratio_to(BASELINE, Sample::cpu_us),
        ratio_to(FLOOR, Sample::cpu_us),
        relative_range(&row.figures(Sample::cpu_us)).map_or_else(|| NONE.to_owned(), percent),
    ]
}

fn memory_cells(row: &Row, rows: &[Row]) -> Vec<String> {
    let called: Vec<f64> = row.memory.iter().filter_map(|one| one.called_kib).collect();
    let seconds: Vec<f64> = row
        .memory
        .iter()
        .filter_map(|one| one.cut_seconds)
        .collect();
    let cut = match (row.case, median(&seconds)) {
        (Case::Unread, None) => "never".to_owned(),
        (_, seconds) => cell(seconds),
    };
    vec![
        cell(median(&row.main_figures())),
        cell(median(&called)),
        spread_cell(row.ratio_to(rows, BASELINE, Row::main_figures)),
        spread_cell(row.ratio_to(rows, FLOOR, Row::main_figures)),
        cut,
    ]
}

/// How uneven the workers are: of the worst round, with the median before it.
fn turn_cells(row: &Row) -> Vec<String> {
    let uneven: Vec<f64> = row
        .turns
        .iter()
        .filter_map(|counts| unevenness(counts))
        .collect();
    let smallest = row.turns.iter().flatten().min();
    let last = row.turns.last().map(|counts| {
        let counts: Vec<_> = counts.iter().map(usize::to_string).collect();
        counts.join(" ")
    });
    vec![
        spread_cell(Spread::of(&uneven)),
        smallest.map_or_else(|| NONE.to_owned(), usize::to_string),
        last.unwrap_or_else(|| NONE.to_owned()),
    ]
}

fn relay_cells(row: &Row) -> Vec<String> {
    let figures: [fn(&Relay) -> f64; 5] = [
        |relay| relay.items_per_second,
        |relay| relay.p50_ms,
        |relay| relay.p99_ms,
        |relay| relay.supervisor_us,
        |relay| relay.workers_us,
    ];
    let median_of = |figure: fn(&Relay) -> f64| {
        let figures: Vec<f64> = row.relays.iter().map(figure).collect();
        cell(median(&figures))
    };
    figures.map(median_of).to_vec()
}

/// The connections of the worker with most of them, relative to the mean.
fn unevenness(counts: &[usize]) -> Option<f64> {
    let largest = *counts.iter().max()? as f64;
    let mean = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
    Some(largest / mean)
}

/// Renders a table for each kind of row, and then the reasons of refusals.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut parts: Vec<String> = Kind::ALL.map(|kind| table(kind, rows)).to_vec();
    let refusals = rows.iter().filter_map(|row| match &row.state {
        State::Refused(why) => Some(format!("{} refused {}: {why}\n", row.peer, row.case.name())),
        _ => None,
    });
    parts.push(refusals.collect());
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// Renders one table, or nothing without rows of its kind.
fn table(kind: Kind, rows: &[Row]) -> String {
    let columns = kind.columns();
    let mut text = String::new();
    for row in rows.iter().filter(|row| Kind::of(row.case) == kind) {
        let mut cells = vec![NONE.to_owned(); columns.len()];
        match row.state {
            State::Measured => cells = kind.cells(row, rows),
            State::Refused(_) => cells[0] = "refused".to_owned(),
            State::Empty => {}
        }
        let (case, peer) = (row.case.name(), row.peer);
        text.push_str(&format!("| {case} | {peer} | {} |\n", cells.join(" | ")));
    }
    if text.is_empty() {
        return text;
    }
    let rule = "---:|".repeat(columns.len());
    format!(
        "| case | peer | {} |\n|---|---|{rule}\n{text}",
        columns.join(" | ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Turns;
    use crate::finding::{Finding, Memory, Relay};

    fn row(peer: &'static str, user: &[f64]) -> Row {
        let mut row = Row::new(Case::Call, peer);
        for &user_us in user {
            row.add(Finding::Cpu(Sample {
                calls: 1,
                calls_per_second: 1e6 / user_us,
                user_us,
                kernel_us: 1.0,
            }));
        }
        row
    }

    fn has_lines(rows: &[Row], lines: &[&str]) {
        let text = markdown(rows);
        for line in lines {
            assert!(text.lines().any(|one| one == *line), "{line}\n{text}");
        }
    }

    #[test]
    fn medians_and_ratios_with_their_spread() {
        let rows = [
            row("floor", &[1.0, 2.0, 9.0]),
            row("jsonrpsee", &[3.0, 5.0, 19.0]),
        ];
        has_lines(
            &rows,
            &[
                "| call | floor | 500000 | 2.00 | 1.00 | 0.400 (0.333…0.474) | 1.00 | 0.500 | 1.00 | 133 % |",
                "| call | jsonrpsee | 200000 | 5.00 | 1.00 | 1.00 | 1.00 | 1.00 | 2.00 | 133 % |",
            ],
        );
    }

    #[test]
    fn memory_refusals_and_empty_rows() {
        let mut held = Row::new(Case::Unread, "floor");
        held.add(Finding::Memory(Memory {
            kib: 12.5,
            called_kib: None,
            cut_seconds: None,
        }));
        let mut refused = Row::new(Case::Ws64, "antiphon");
        refused.add(Finding::Refused("404".to_owned()));
        let empty = Row::empty(Case::Unread, "antiphon-serve");
        has_lines(
            &[held, refused, empty],
            &[
                "| unread | floor | 12.5 | – | – | 1.00 | never |",
                "| unread | antiphon-serve | – | – | – | – | – |",
                "| ws64 | antiphon | refused | – | – | – | – | – | – | – |",
                "antiphon refused ws64: 404",
            ],
        );
    }

    #[test]
    fn items_between_workers_have_medians() {
        let mut row = Row::new(Case::Relay1, "antiphon-serve");
        for factor in [1.0, 2.0, 9.0] {
            row.add(Finding::Relay(Relay {
                items_per_second: 1000.0 * factor,
                p50_ms: 0.1 * factor,
                p99_ms: factor,
                supervisor_us: 0.5 * factor,
                workers_us: 3.0 * factor,
            }));
        }
        has_lines(
            &[row],
            &["| relay1 | antiphon-serve | 2000 | 0.200 | 2.00 | 1.00 | 6.00 |"],
        );
    }

    #[test]
    fn workers_are_as_uneven_as_their_largest() {
        let turns = Turns::ALL[2];
        let mut row = Row::new(Case::Turns(turns), "antiphon-serve");
        for counts in [[4, 4, 4, 4], [5, 5, 3, 3], [8, 4, 4, 0]] {
            row.add(Finding::Turns(counts.to_vec()));
        }
        has_lines(
            &[row],
            &["| turns-burst16 | antiphon-serve | 1.25 (1.00…2.00) | 0 | 8 4 4 0 |"],
        );
    }
}
