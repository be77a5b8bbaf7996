//! Random walks, whose numbers are made while they are written.

use std::f64::consts::TAU;
use std::hash::{BuildHasher, RandomState};
use std::iter;

use antiphon::schemars::{self, JsonSchema};
use serde::ser::{Serialize, Serializer};

/// Lists of numbers, each a walk from 0. No number is held in memory: if the caller reads slowly,
/// the server holds the text at most, and that is in its budget.
#[derive(Clone, Copy, JsonSchema)]
#[schemars(crate = "schemars", inline, with = "Vec<Vec<f64>>")]
pub(crate) struct RandomWalks {
    pub(crate) count: usize,
    pub(crate) steps: usize,
    /// The mean of a step.
    pub(crate) mu: f64,
    /// The standard deviation of a step.
    pub(crate) sigma: f64,
}

impl RandomWalks {
    /// No walk gets further from 0 than this. It is infinite if one could leave the range of numbers.
    pub(crate) fn reach(&self) -> f64 {
        // Twice, for what is lost in rounding.
        2.0 * self.steps as f64 * (self.mu.abs() + self.sigma * Normal::FURTHEST)
    }
}

impl Serialize for RandomWalks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.count).map(|_| Walk(*self)))
    }
}

/// One of them.
struct Walk(RandomWalks);

impl Serialize for Walk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let RandomWalks {
            steps, mu, sigma, ..
        } = self.0;
        let mut normal = Normal::new();
        let mut at = 0.0;
        let later = (0..steps).map(|_| {
            at += mu + sigma * normal.next();
            at
        });
        serializer.collect_seq(iter::once(0.0).chain(later))
    }
}

/// Generator of normally distributed numbers with mean 0 and standard deviation 1. It uses the
/// Box–Muller transform, which makes two of them from two uniformly distributed numbers.
struct Normal {
    /// State of a SplitMix64 generator. It is fast and good enough for demonstrations.
    state: u64,
    second: Option<f64>,
}

impl Normal {
    /// No number is further from 0: the square root of −2 ln(2⁻⁵³) is 8.58.
    const FURTHEST: f64 = 8.6;

    /// Starts from a random seed, so that every generator has a different sequence.
    fn new() -> Self {
        Self {
            state: RandomState::new().hash_one("seed"),
            second: None,
        }
    }

    fn next(&mut self) -> f64 {
        if let Some(second) = self.second.take() {
            return second;
        }
        let radius = (-2.0 * self.even().ln()).sqrt();
        let (sin, cos) = (TAU * self.even()).sin_cos();
        self.second = Some(radius * sin);
        radius * cos
    }

    /// A uniformly distributed number in (0, 1]; 0 is excluded because it has no logarithm.
    fn even(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        // Keep 53 bits, the precision of an `f64`.
        ((mixed >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_normally_distributed() {
        let mut normal = Normal {
            state: 1,
            second: None,
        };
        let steps: Vec<f64> = (0..100_000).map(|_| normal.next()).collect();
        assert!(steps.iter().all(|step| step.abs() < Normal::FURTHEST));
        let mean = |power: i32| steps.iter().map(|x| x.powi(power)).sum::<f64>() / 100_000.0;
        assert!(mean(1).abs() < 0.02, "{}", mean(1));
        assert!((mean(2) - 1.0).abs() < 0.02, "{}", mean(2));
        assert!((mean(4) - 3.0).abs() < 0.15, "{}", mean(4));
    }
}
