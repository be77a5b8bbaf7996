//! Calculator served by `antiphon serve`: arithmetic and random walks.

use std::f64::consts::TAU;
use std::hash::{BuildHasher, RandomState};

use antiphon::{ErrorObject, rpc};

/// Maximum count of numbers in a result of `randompaths`. At up to 25 bytes each, they stay below
/// the response limit of 10 MiB.
const MAX_NUMBERS: usize = 400_000;

/// Sums and random walks.
pub(crate) struct Calculator;

#[rpc(client = false)]
impl Calculator {
    /// Add two numbers.
    #[method(example = r#"{"params": [3, 4], "result": 7}"#)]
    fn rpc_add(&self, a: f64, b: f64) -> Result<f64, ErrorObject> {
        number(a + b)
    }

    /// Subtract the second number from the first.
    #[method(example = r#"{"params": [10, 4], "result": 6}"#)]
    fn rpc_subtract(&self, a: f64, b: f64) -> Result<f64, ErrorObject> {
        number(a - b)
    }

    /// Multiply two numbers.
    #[method(example = r#"{"params": {"a": 3, "b": 5}, "result": 15}"#)]
    fn rpc_multiply(&self, a: f64, b: f64) -> Result<f64, ErrorObject> {
        number(a * b)
    }

    /// Divide the first number by the second.
    #[method(example = r#"{"params": [16, 4], "result": 4}"#)]
    fn rpc_divide(&self, a: f64, b: f64) -> Result<f64, ErrorObject> {
        match b {
            0.0 => Err(ErrorObject::invalid_params("division by zero")),
            b => number(a / b),
        }
    }

    /// Lists of numbers, each a random walk from 0 in `size` steps, which are normally distributed
    /// with the mean `mu` and the standard deviation `sigma`.
    #[method(blocking)]
    fn rpc_randompaths(
        &self,
        /// How many walks.
        #[arg(default = 1)]
        num_paths: usize,
        /// How many steps each has.
        #[arg(default = 250)]
        size: usize,
        /// The mean of a step.
        #[arg(default = 0.0)]
        mu: f64,
        /// The standard deviation of a step; not negative.
        #[arg(default = 1.0)]
        sigma: f64,
    ) -> Result<Vec<Vec<f64>>, ErrorObject> {
        let numbers = size
            .checked_add(1)
            .and_then(|len| len.checked_mul(num_paths));
        if numbers.is_none_or(|numbers| numbers > MAX_NUMBERS) {
            return Err(ErrorObject::invalid_params(format_args!(
                "num_paths × (size + 1) is more than {MAX_NUMBERS} numbers"
            )));
        }
        if sigma < 0.0 {
            return Err(ErrorObject::invalid_params("sigma is negative"));
        }
        let mut normal = Normal::new();
        let mut path = || {
            let mut path = Vec::with_capacity(size + 1);
            let mut at = 0.0;
            path.push(at);
            for _ in 0..size {
                at = number(at + mu + sigma * normal.next())?;
                path.push(at);
            }
            Ok(path)
        };
        (0..num_paths).map(|_| path()).collect()
    }
}

/// Rejects infinities and NaN, which JSON cannot represent.
fn number(value: f64) -> Result<f64, ErrorObject> {
    match value.is_finite() {
        true => Ok(value),
        false => Err(ErrorObject::invalid_params(
            "the result is too large for a number",
        )),
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
    fn walks_begin_at_zero_and_have_the_steps_that_were_asked_for() {
        let paths = Calculator.rpc_randompaths(3, 20, 0.0, 1.0).unwrap();
        assert_eq!(paths.len(), 3);
        for path in &paths {
            assert_eq!((path.len(), path[0]), (21, 0.0));
        }
        assert_ne!(paths[0], paths[1]);
        assert_eq!(
            Calculator.rpc_randompaths(1, 2, 1.5, 0.0).unwrap(),
            [[0.0, 1.5, 3.0]]
        );
        assert!(
            Calculator
                .rpc_randompaths(0, 9, 0.0, 1.0)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn steps_are_normally_distributed() {
        let mut normal = Normal {
            state: 1,
            second: None,
        };
        let steps: Vec<f64> = (0..100_000).map(|_| normal.next()).collect();
        let mean = |power: i32| steps.iter().map(|x| x.powi(power)).sum::<f64>() / 100_000.0;
        assert!(mean(1).abs() < 0.02, "{}", mean(1));
        assert!((mean(2) - 1.0).abs() < 0.02, "{}", mean(2));
        assert!((mean(4) - 3.0).abs() < 0.15, "{}", mean(4));
    }

    #[test]
    fn what_is_too_much_is_told() {
        let says = |result: Result<Vec<Vec<f64>>, ErrorObject>, part: &str| {
            let error = result.unwrap_err();
            assert_eq!(error.code().0, -32602);
            assert!(error.message().contains(part), "{}", error.message());
        };
        says(
            Calculator.rpc_randompaths(1, MAX_NUMBERS, 0.0, 1.0),
            "400000",
        );
        says(
            Calculator.rpc_randompaths(usize::MAX, 2, 0.0, 1.0),
            "400000",
        );
        says(
            Calculator.rpc_randompaths(2, usize::MAX, 0.0, 1.0),
            "400000",
        );
        says(Calculator.rpc_randompaths(1, 9, 0.0, -1.0), "negative");
        says(Calculator.rpc_randompaths(1, 9, 1e308, 1.0), "too large");
    }
}
