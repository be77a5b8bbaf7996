//! Calculator served by `antiphon serve`: arithmetic and random walks.

use antiphon::{ErrorObject, rpc};

use crate::random_walks::RandomWalks;

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
    #[method(blocking, scope = "calc:random")]
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
    ) -> Result<RandomWalks, ErrorObject> {
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
        let walks = RandomWalks {
            count: num_paths,
            steps: size,
            mu,
            sigma,
        };
        number(walks.reach()).map(|_| walks)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(count: usize, size: usize, mu: f64, sigma: f64) -> Result<Vec<Vec<f64>>, ErrorObject> {
        let walks = Calculator.rpc_randompaths(count, size, mu, sigma)?;
        let text = serde_json::to_string(&walks).unwrap();
        Ok(serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn walks_begin_at_zero_and_have_the_steps_that_were_asked_for() {
        let walks = paths(3, 20, 0.0, 1.0).unwrap();
        assert_eq!(walks.len(), 3);
        for walk in &walks {
            assert_eq!((walk.len(), walk[0]), (21, 0.0));
        }
        assert_ne!(walks[0], walks[1]);
        assert_eq!(paths(1, 2, 1.5, 0.0).unwrap(), [[0.0, 1.5, 3.0]]);
        assert!(paths(0, 9, 0.0, 1.0).unwrap().is_empty());
    }

    #[test]
    fn what_is_too_much_is_told() {
        let says = |result: Result<Vec<Vec<f64>>, ErrorObject>, part: &str| {
            let error = result.unwrap_err();
            assert_eq!(error.code().0, -32602);
            assert!(error.message().contains(part), "{}", error.message());
        };
        says(paths(1, MAX_NUMBERS, 0.0, 1.0), "400000");
        says(paths(usize::MAX, 2, 0.0, 1.0), "400000");
        says(paths(2, usize::MAX, 0.0, 1.0), "400000");
        says(paths(1, 9, 0.0, -1.0), "negative");
        for (mu, sigma) in [(1e308, 1.0), (-1e308, 1.0), (0.0, 1e307), (f64::MAX, 0.0)] {
            says(paths(1, 9, mu, sigma), "too large");
        }
        assert!(paths(1, 9, 9e306, 0.0).is_ok());
    }
}
