//! Records of counts, their file, and what a count means beside its record.

use std::fmt;

use crate::cases::Case;
use crate::conditions::Conditions;

/// A count this much above its record fails. Counts of one program differ by less than half a per
/// cent from run to run, so a change of this size is a change of the code.
pub(crate) const PERCENT: u64 = 5;

/// The same with another compiler, C library or processor. They inline, allocate and copy in other
/// ways, which moves counts by several per cent without any change here; a doubled parser or an
/// additional allocation for each field is still found.
pub(crate) const PERCENT_ELSEWHERE: u64 = 15;

const HEAD: &str = "\
# Instructions of one call. Written by `cargo run -p counts -- --record`, in peers/.
# A count above its bound fails the test, and so does one that is as far below its record.
";

/// The file of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Records {
    pub(crate) conditions: Conditions,
    rows: Vec<(Case, Row)>,
}

/// The record of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) record: u64,
    /// The largest count that passes under the conditions of the record.
    pub(crate) bound: u64,
}

/// What a count means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Within,
    /// Above the bound.
    Slower,
    /// So far below the record that the record has to be lowered.
    Faster,
    /// The same under other conditions, where nobody can tell whether the code is the reason.
    FasterElsewhere,
}

impl Verdict {
    pub(crate) fn fails(self) -> bool {
        matches!(self, Self::Slower | Self::Faster)
    }
}

impl Row {
    pub(crate) fn new(record: u64) -> Self {
        Self {
            record,
            bound: raised(record, PERCENT),
        }
    }

    /// The bound under the conditions of the record (`same`) or under others.
    pub(crate) fn bound(self, same: bool) -> u64 {
        match same {
            true => self.bound,
            false => self.bound.max(raised(self.record, PERCENT_ELSEWHERE)),
        }
    }

    pub(crate) fn verdict(self, count: u64, same: bool) -> Verdict {
        let lowest = self.record - self.record * PERCENT / 100;
        match count {
            _ if count > self.bound(same) => Verdict::Slower,
            _ if count >= lowest => Verdict::Within,
            _ if same => Verdict::Faster,
            _ => Verdict::FasterElsewhere,
        }
    }
}

fn raised(count: u64, percent: u64) -> u64 {
    count + count * percent / 100
}

/// How far a count is from its record, in per cent of the record, with one digit.
pub(crate) fn percent(count: u64, record: u64) -> f64 {
    let percent = (count as f64 / record as f64 - 1.0) * 100.0;
    // Zero is added because there is a negative zero, which would be printed as such.
    (percent * 10.0).round() / 10.0 + 0.0
}

impl Records {
    pub(crate) fn new(conditions: Conditions, counts: &[(Case, u64)]) -> Self {
        let rows = counts.iter().map(|&(case, count)| (case, Row::new(count)));
        Self {
            conditions,
            rows: rows.collect(),
        }
    }

    pub(crate) fn row(&self, case: Case) -> Option<Row> {
        let mut rows = self.rows.iter();
        rows.find(|(named, _)| *named == case).map(|(_, row)| *row)
    }

    /// Reads what `Display` writes. Empty lines and lines that begin with `#` have no meaning.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut conditions = None;
        let mut rows: Vec<(Case, Row)> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(words) = line.strip_prefix("made with:") {
                if conditions.replace(Conditions::of(words.trim())).is_some() {
                    return Err("\"made with\" twice".into());
                }
                continue;
            }
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [name, record, bound] = fields[..] else {
                return Err(format!("no case, record and bound: {line:?}"));
            };
            let case = Case::named(name).ok_or_else(|| format!("no case is named {name:?}"))?;
            let number = |field: &str| {
                let number = field.parse::<u64>().ok().filter(|number| *number > 0);
                number.ok_or_else(|| format!("no positive number: {field:?}"))
            };
            let row = Row {
                record: number(record)?,
                bound: number(bound)?,
            };
            if row.bound < row.record {
                return Err(format!("the bound is below the record: {line:?}"));
            }
            if rows.iter().any(|(before, _)| *before == case) {
                return Err(format!("{name} twice"));
            }
            rows.push((case, row));
        }
        Ok(Self {
            conditions: conditions.ok_or("no line \"made with: …\"")?,
            rows,
        })
    }
}

impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        writeln!(f, "made with: {}\n", self.conditions)?;
        writeln!(f, "# {:<10} {:>7} {:>7}", "case", "record", "bound")?;
        for (case, row) in &self.rows {
            writeln!(f, "{:<12} {:>7} {:>7}", case.name(), row.record, row.bound)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let counts = [(Case::Http, 20_712), (Case::Batch, 3_850)];
        let records = Records::new(Conditions::of("rustc 1.95.0, glibc 2.36"), &counts);
        assert_eq!(Records::parse(&records.to_string()), Ok(records.clone()));
        assert_eq!(records.row(Case::Http).unwrap().bound, 21_747);
        assert_eq!(records.row(Case::Tcp), None);
    }

    #[test]
    fn refuses_a_file_that_says_something_else() {
        for (text, part) in [
            ("", "made with"),
            ("made with: a\nmade with: b", "twice"),
            ("made with: a\nhttp 1", "no case, record and bound"),
            ("made with: a\nhttp 1 2 3", "no case, record and bound"),
            ("made with: a\nhttp 0 0", "no positive number"),
            ("made with: a\nhttp 9 8", "below the record"),
            ("made with: a\nhttp -1 8", "no positive number"),
            ("made with: a\nhttp 1 2\nhttp 1 2", "http twice"),
            ("made with: a\nsmtp 1 2", "no case is named \"smtp\""),
        ] {
            let why = Records::parse(text).unwrap_err();
            assert!(why.contains(part), "{text:?}: {why}");
        }
    }

    #[test]
    fn a_count_passes_up_to_its_bound_and_down_to_as_much_below() {
        for (count, same, elsewhere) in [
            (10_501, Verdict::Slower, Verdict::Within),
            (10_500, Verdict::Within, Verdict::Within),
            (9_500, Verdict::Within, Verdict::Within),
            (9_499, Verdict::Faster, Verdict::FasterElsewhere),
            (11_500, Verdict::Slower, Verdict::Within),
            (11_501, Verdict::Slower, Verdict::Slower),
        ] {
            let row = Row::new(10_000);
            assert_eq!(row.verdict(count, true), same, "{count}");
            assert_eq!(row.verdict(count, false), elsewhere, "{count}");
        }
    }

    #[test]
    fn differences_are_rounded_and_never_a_negative_zero() {
        for (count, expected) in [
            (10_000, "+0.0"),
            (9_996, "+0.0"),
            (10_512, "+5.1"),
            (8_750, "-12.5"),
        ] {
            assert_eq!(format!("{:+.1}", percent(count, 10_000)), expected);
        }
    }

    #[test]
    fn a_bound_of_its_own_holds_everywhere() {
        let row = Row {
            record: 10_000,
            bound: 13_000,
        };
        assert_eq!((row.bound(true), row.bound(false)), (13_000, 13_000));
    }
}
