//! Arithmetic of the tables: medians, ratios with their spread, and significant digits.

use std::fmt;

/// Placeholder for a missing figure.
pub(crate) const NONE: &str = "–";

/// The quantile of the figures, with linear interpolation; nothing without figures.
pub(crate) fn quantile(figures: &[f64], part: f64) -> Option<f64> {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let place = part * figures.len().checked_sub(1)? as f64;
    let (low, high) = (
        figures[place.floor() as usize],
        figures[place.ceil() as usize],
    );
    Some(low + (high - low) * place.fract())
}

pub(crate) fn median(figures: &[f64]) -> Option<f64> {
    quantile(figures, 0.5)
}

/// The interquartile range relative to the median, in percent.
pub(crate) fn relative_range(figures: &[f64]) -> Option<f64> {
    let range = quantile(figures, 0.75)? - quantile(figures, 0.25)?;
    Some(range / median(figures)? * 100.0)
}

/// A median with the smallest and the largest of the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    rounds: usize,
}

impl Spread {
    pub(crate) fn of(figures: &[f64]) -> Option<Self> {
        Some(Self {
            median: median(figures)?,
            least: quantile(figures, 0.0)?,
            most: quantile(figures, 1.0)?,
            rounds: figures.len(),
        })
    }

    /// The ratios of two figures in each round. A round measures the peers of a case in succession,
    /// so a slow phase of the machine affects both figures and cancels out.
    pub(crate) fn of_ratios(ours: &[f64], theirs: &[f64]) -> Option<Self> {
        let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs);
        let ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
        Self::of(&ratios)
    }
}

/// The median, and the spread if there are several rounds that differ.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&significant(self.median))?;
        if self.rounds > 1 && self.least < self.most {
            write!(
                f,
                " ({}…{})",
                significant(self.least),
                significant(self.most)
            )?;
        }
        Ok(())
    }
}

/// The text of a figure, or the placeholder.
pub(crate) fn cell(figure: Option<f64>) -> String {
    figure.map_or_else(|| NONE.to_owned(), significant)
}

/// The text of a spread, or the placeholder.
pub(crate) fn spread_cell(spread: Option<Spread>) -> String {
    spread.map_or_else(|| NONE.to_owned(), |spread| spread.to_string())
}

/// Formats three significant digits without an exponent.
pub(crate) fn significant(figure: f64) -> String {
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

    #[test]
    fn digits() {
        let texts = [0.0, 0.163, 3.204, 42.42, 512.5].map(significant);
        assert_eq!(texts, ["0", "0.163", "3.20", "42.4", "512"]);
    }

    #[test]
    fn quantiles() {
        let figures = [9.0, 1.0, 2.0, 4.0];
        for (part, expected) in [(0.0, 1.0), (0.5, 3.0), (0.25, 1.75), (1.0, 9.0)] {
            assert_eq!(quantile(&figures, part), Some(expected));
        }
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(relative_range(&[2.0, 4.0, 6.0]), Some(50.0));
    }

    #[test]
    fn a_ratio_is_that_of_each_round() {
        let check = |ours: &[f64], theirs: &[f64], expected: &str| {
            assert_eq!(spread_cell(Spread::of_ratios(ours, theirs)), expected);
        };
        // The machine was ten times slower in the second round.
        check(&[1.0, 10.0, 1.5], &[2.0, 20.0, 2.0], "0.500 (0.500…0.750)");
        check(&[3.0], &[2.0], "1.50");
        check(&[3.0, 3.0], &[2.0, 2.0], "1.50");
        // A share of the kernel that no sample has seen.
        check(&[1.0, 1.0], &[0.0, 2.0], "0.500");
        check(&[1.0], &[], "–");
    }
}
