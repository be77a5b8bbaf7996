//! Short Markdown table: the library, the tool and jsonrpsee, for the README of the project.

use crate::cases::{Case, Form};
use crate::row::{BASELINE, Row, find};
use crate::servers;
use crate::statistics::{NONE, median, significant, spread_cell};

/// Renders a row for each measured case of the short table. Figures are medians of CPU time per
/// call, or memory per connection.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let [library, tool, _] = servers::README.map(|peer| peer.name);
    let mut text =
        "| | Antiphon, the library | `antiphon serve` | jsonrpsee 0.26 | library ÷ jsonrpsee |\n\
                    |---|---:|---:|---:|---:|\n"
            .to_owned();
    for (case, title) in Case::README {
        if !rows.iter().any(|row| row.case == case) {
            continue;
        }
        let figures = [library, tool, BASELINE].map(|peer| figure(rows, case, peer));
        let ratio = find(rows, case, library)
            .and_then(|row| row.ratio_to(rows, BASELINE, Row::main_figures));
        let ratio = spread_cell(ratio);
        text.push_str(&format!(
            "| {title} | {} | {ratio} |\n",
            figures.join(" | ")
        ));
    }
    text
}

fn figure(rows: &[Row], case: Case, peer: &str) -> String {
    let unit = match case.form() {
        Form::Memory => "KiB",
        _ => "µs",
    };
    find(rows, case, peer)
        .and_then(|row| median(&row.main_figures()))
        .map_or_else(
            || NONE.to_owned(),
            |median| format!("{} {unit}", significant(median)),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Finding, Memory};
    use crate::window::Sample;

    fn row(case: Case, peer: &'static str, figures: &[f64]) -> Row {
        let mut row = Row::new(case, peer);
        for &figure in figures {
            row.add(match case.form() {
                Form::Memory => Finding::Memory(Memory {
                    kib: figure,
                    called_kib: None,
                    cut_seconds: None,
                }),
                _ => Finding::Cpu(Sample {
                    calls: 1,
                    calls_per_second: 1.0,
                    user_us: figure / 2.0,
                    kernel_us: figure / 2.0,
                }),
            });
        }
        row
    }

    #[test]
    fn a_row_for_each_measured_case() {
        let rows = [
            row(Case::Call, "floor", &[1.0]),
            row(Case::Call, "antiphon", &[8.0, 9.0, 7.0]),
            row(Case::Call, "antiphon-serve", &[9.0, 9.0, 9.0]),
            row(Case::Call, "jsonrpsee", &[10.0, 10.0, 10.0]),
            row(Case::Result1m, "antiphon", &[600.0]),
            Row::empty(Case::Result1m, "antiphon-serve"),
            row(Case::Idle, "jsonrpsee", &[18.0]),
            row(Case::Tcp64, "antiphon", &[1.0]),
        ];
        let text = markdown(&rows);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| one call over HTTP | 8.00 µs | 9.00 µs | 10.0 µs | 0.800 (0.700…0.900) |",
                "| 1 MiB of result | 600 µs | – | – | – |",
                "| memory of an idle WebSocket | – | – | 18.0 KiB | – |",
            ]
        );
    }
}
