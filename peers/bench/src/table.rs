//! Markdown tables of CPU time and memory: medians of the rounds, and ratios to jsonrpsee and the
//! floor.

use crate::cases::{Case, Form};
use crate::finding::{Finding, Memory};
use crate::window::Sample;

/// The peer that the ratios refer to, besides the floor.
const BASELINE: &str = "jsonrpsee";

/// The peer with the minimal work.
const FLOOR: &str = "floor";

/// Placeholder for a missing figure.
const NONE: &str = "–";

/// All results of one peer in one case.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) peer: &'static str,
    samples: Vec<Sample>,
    memory: Vec<Memory>,
    refused: Option<String>,
}

impl Row {
    pub(crate) fn new(case: Case, peer: &'static str) -> Self {
        Self {
            case,
            peer,
            samples: Vec::new(),
            memory: Vec::new(),
            refused: None,
        }
    }

    pub(crate) fn add(&mut self, found: Finding) {
        match found {
            Finding::Cpu(sample) => self.samples.push(sample),
            Finding::Memory(memory) => self.memory.push(memory),
            Finding::Refused(why) => self.refused = Some(why),
        }
    }

    fn figures(&self, figure: impl Fn(&Sample) -> f64) -> Vec<f64> {
        self.samples.iter().map(figure).collect()
    }

    fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        quantile(self.figures(figure), 0.5)
    }

    /// The interquartile range of the rounds, relative to the median.
    fn spread(&self) -> f64 {
        let figures = self.figures(Sample::cpu_us);
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|part| quantile(figures.clone(), part));
        (high - low) / middle
    }

    /// The cells of the CPU table after case and peer.
    fn cpu_cells(&self, rows: &[Self]) -> [String; 7] {
        let ratio_to =
            |peer, figure: fn(&Sample) -> f64| self.ratio_to(rows, peer, |row| row.figures(figure));
        [
            format!("{:.0}", self.median(|sample| sample.calls_per_second)),
            significant(self.median(|sample| sample.user_us)),
            significant(self.median(|sample| sample.kernel_us)),
            ratio_to(BASELINE, |sample| sample.user_us),
            ratio_to(BASELINE, Sample::cpu_us),
            ratio_to(FLOOR, Sample::cpu_us),
            format!("{:.0} %", self.spread() * 100.0),
        ]
    }

    /// The cells of the memory table after case and peer.
    fn memory_cells(&self, rows: &[Self]) -> [String; 5] {
        let held = |row: &Self| row.memory.iter().map(|memory| memory.kib).collect();
        let called = self.memory.iter().filter_map(|memory| memory.called_kib);
        let seconds = self.memory.iter().filter_map(|memory| memory.cut_seconds);
        [
            significant(quantile(held(self), 0.5)),
            median_or_none(called.collect()),
            self.ratio_to(rows, BASELINE, held),
            self.ratio_to(rows, FLOOR, held),
            match self.case {
                Case::Unread => {
                    let cut = median_or_none(seconds.collect());
                    if cut == NONE { "never".to_owned() } else { cut }
                }
                _ => NONE.to_owned(),
            },
        ]
    }

    /// The median of the ratios to another peer in each round. A round measures the peers of a case
    /// in succession, so a slow phase of the machine affects both figures and cancels out.
    fn ratio_to(&self, rows: &[Self], peer: &str, figures: impl Fn(&Self) -> Vec<f64>) -> String {
        let other = rows
            .iter()
            .find(|other| other.case == self.case && other.peer == peer);
        let theirs = other.map(&figures).unwrap_or_default();
        let ratios = figures(self).into_iter().zip(theirs);
        median_or_none(
            ratios
                .map(|(ours, theirs)| ours / theirs)
                .filter(|ratio| ratio.is_finite())
                .collect(),
        )
    }
}

fn median_or_none(figures: Vec<f64>) -> String {
    if figures.is_empty() {
        return NONE.to_owned();
    }
    significant(quantile(figures, 0.5))
}

/// The quantile of the figures, with linear interpolation.
fn quantile(mut figures: Vec<f64>, part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let place = part * (figures.len() - 1) as f64;
    let (low, high) = (
        figures[place.floor() as usize],
        figures[place.ceil() as usize],
    );
    low + (high - low) * place.fract()
}

/// Renders a table for each kind of row, and then the reasons of refusals.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let cpu = "| case | peer | calls/s | user µs | kernel µs | user ÷ jsonrpsee | CPU ÷ jsonrpsee | CPU ÷ floor | spread |\n\
               |---|---|---:|---:|---:|---:|---:|---:|---:|\n";
    let memory = "| case | peer | KiB held | after a call | held ÷ jsonrpsee | held ÷ floor | cut after s |\n\
                  |---|---|---:|---:|---:|---:|---:|\n";
    let refusals = rows.iter().filter_map(|row| {
        let why = row.refused.as_deref()?;
        Some(format!("{} refused {}: {why}\n", row.peer, row.case.name()))
    });
    let parts = [
        table(cpu, rows, false, |row| row.cpu_cells(rows)),
        table(memory, rows, true, |row| row.memory_cells(rows)),
        refusals.collect(),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

/// Renders one table, or nothing without rows of its kind.
fn table<const N: usize>(
    head: &str,
    rows: &[Row],
    memory: bool,
    cells: impl Fn(&Row) -> [String; N],
) -> String {
    let mut text = String::new();
    for row in rows {
        if memory != (row.case.form() == Form::Memory) {
            continue;
        }
        let cells = match row.refused {
            Some(_) => std::array::from_fn(|column| ["refused", NONE][column.min(1)].to_owned()),
            None => cells(row),
        };
        let (case, peer) = (row.case.name(), row.peer);
        text.push_str(&format!("| {case} | {peer} | {} |\n", cells.join(" | ")));
    }
    if text.is_empty() {
        return text;
    }
    format!("{head}{text}")
}

/// Formats three significant digits without an exponent.
fn significant(figure: f64) -> String {
    let decimals = match figure {
        ..0.001 => 0,
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{figure:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn medians_and_ratios() {
        let text = markdown(&[
            row("floor", &[1.0, 2.0, 9.0]),
            row("jsonrpsee", &[3.0, 5.0, 19.0]),
        ]);
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "| call | jsonrpsee | 200000 | 5.00 | 1.00 | 1.00 | 1.00 | 2.00 | 133 % |"
        );
    }

    #[test]
    fn memory_and_refusals() {
        let mut held = Row::new(Case::Unread, "floor");
        held.add(Finding::Memory(Memory {
            kib: 12.5,
            called_kib: None,
            cut_seconds: None,
        }));
        let mut refused = Row::new(Case::Ws64, "antiphon");
        refused.add(Finding::Refused("404".to_owned()));
        let text = markdown(&[held, refused]);
        for line in [
            "| unread | floor | 12.5 | – | – | 1.00 | never |",
            "| ws64 | antiphon | refused | – | – | – | – | – | – |",
            "antiphon refused ws64: 404",
        ] {
            assert!(text.lines().any(|one| one == line), "{text}");
        }
    }

    #[test]
    fn digits() {
        let texts = [0.0, 0.163, 3.204, 42.42, 512.5].map(significant);
        assert_eq!(texts, ["0", "0.163", "3.20", "42.4", "512"]);
    }
}
