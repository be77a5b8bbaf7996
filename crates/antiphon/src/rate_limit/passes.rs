//! Memory of credentials that were good, by their hashes.
//!
//! Only good credentials get in, so nobody can push others out with guesses. There are two generations, as
//! in the table of debts: when the young one is full, it takes the place of the old one.

use std::collections::HashSet;

/// Half of the largest number of credentials.
const HALF: usize = 5_000;

/// Hashes of good credentials.
#[derive(Debug, Default)]
pub(super) struct Passes {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Passes {
    /// Whether these credentials are remembered. Then they stay.
    pub(super) fn renew(&mut self, pass: u64) -> bool {
        if self.young.contains(&pass) {
            return true;
        }
        let found = self.old.remove(&pass);
        if found {
            self.add(pass);
        }
        found
    }

    pub(super) fn add(&mut self, pass: u64) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(pass);
    }

    pub(super) fn remove(&mut self, pass: u64) {
        self.young.remove(&pass);
        self.old.remove(&pass);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let mut passes = Passes::default();
        for number in 0..50_000 {
            passes.add(number);
            assert!(passes.renew(0), "{number}");
            assert!(passes.young.len() + passes.old.len() <= 2 * HALF);
        }
        assert!(passes.renew(49_999) && !passes.renew(1));
        passes.remove(0);
        assert!(!passes.renew(0));
    }
}
