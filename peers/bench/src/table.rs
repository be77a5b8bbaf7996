//! The Markdown table: medians of the rounds, and what they are beside jsonrpsee and the floor.

use crate::cases::Case;
use crate::window::Sample;

/// The peer whose figures the others are compared with, besides the floor.
const YARDSTICK: &str = "jsonrpsee";

/// All samples of one peer in one case.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) peer: &'static str,
    pub(crate) samples: Vec<Sample>,
}

impl Row {
    fn figures(&self, figure: impl Fn(&Sample) -> f64) -> Vec<f64> {
        self.samples.iter().map(figure).collect()
    }

    fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        quantile(self.figures(figure), 0.5)
    }

    /// The median of the ratios of each round. A round measures the peers of a case one right
    /// after the other, so a slow minute of the machine is in both figures and goes out.
    fn ratio_to(&self, other: &Self, figure: fn(&Sample) -> f64) -> Option<f64> {
        let pairs = self.samples.iter().zip(&other.samples);
        let ratios: Vec<f64> = pairs
            .map(|(ours, theirs)| figure(ours) / figure(theirs))
            .filter(|ratio| ratio.is_finite())
            .collect();
        (!ratios.is_empty()).then(|| quantile(ratios, 0.5))
    }

    /// How far the middle half of the rounds lies apart, as a part of the median.
    fn spread(&self) -> f64 {
        let figures = self.figures(Sample::cpu_us);
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|part| quantile(figures.clone(), part));
        (high - low) / middle
    }
}

/// The figure below which this part of the figures lies; between two it is interpolated.
fn quantile(mut figures: Vec<f64>, part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let place = part * (figures.len() - 1) as f64;
    let (low, high) = (
        figures[place.floor() as usize],
        figures[place.ceil() as usize],
    );
    low + (high - low) * place.fract()
}

/// Renders the rows that have samples.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let rows: Vec<&Row> = rows.iter().filter(|row| !row.samples.is_empty()).collect();
    let mut text = String::from(
        "| case | peer | calls/s | user µs | kernel µs | user ÷ jsonrpsee | CPU ÷ jsonrpsee | CPU ÷ floor | spread |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in &rows {
        let beside = |peer: &str, figure: fn(&Sample) -> f64| {
            rows.iter()
                .find(|other| other.case == row.case && other.peer == peer)
                .and_then(|other| row.ratio_to(other, figure))
                .map_or("–".to_owned(), significant)
        };
        let cells = [
            row.case.name().to_owned(),
            row.peer.to_owned(),
            format!("{:.0}", row.median(|sample| sample.calls_per_second)),
            significant(row.median(|sample| sample.user_us)),
            significant(row.median(|sample| sample.kernel_us)),
            beside(YARDSTICK, |sample| sample.user_us),
            beside(YARDSTICK, Sample::cpu_us),
            beside("floor", Sample::cpu_us),
            format!("{:.0} %", row.spread() * 100.0),
        ];
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// Three significant digits, without an exponent.
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
        let sample = |&user_us| Sample {
            calls: 1,
            calls_per_second: 1e6 / user_us,
            user_us,
            kernel_us: 1.0,
        };
        Row {
            case: Case::Call,
            peer,
            samples: user.iter().map(sample).collect(),
        }
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
    fn digits() {
        let texts = [0.0, 0.163, 3.204, 42.42, 512.5].map(significant);
        assert_eq!(texts, ["0", "0.163", "3.20", "42.4", "512"]);
    }
}
