//! Instruction counts: builds what users run, counts the instructions of a call with callgrind, and
//! compares the counts with the records.
//!
//! | file | what it does |
//! |---|---|
//! | `main.rs` | command line, table, exit code |
//! | `cases.rs` | the cases: what is called, how often, and what has to come back |
//! | `programs.rs` | the programs that are counted, and how cargo builds them |
//! | `measure.rs` | counts of one case: two runs of different length |
//! | `callgrind.rs` | a program under callgrind, its addresses, its end, its total |
//! | `connection.rs` | the load: fixed bytes out, expected messages in |
//! | `framing.rs` | messages in a byte stream: HTTP/1, WebSocket, lines |
//! | `records.rs` | the file of records, and what a count means beside its record |
//! | `conditions.rs` | what counts depend on: compiler, C library, processor |

mod callgrind;
mod cases;
mod conditions;
mod connection;
mod framing;
mod measure;
mod programs;
mod records;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cases::Case;
use conditions::Conditions;
use measure::Totals;
use programs::Programs;
use records::{Records, Row, Verdict};

const USAGE: &str = "usage, in peers/: cargo run -p counts [-- [--record] [CASE]…]

Counts the instructions of a call, prints a table, and fails if a count is above its bound or far
below its record. With --record it writes records and bounds anew instead.";

/// Any error. None can be recovered from: a count that is missing says nothing.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("counts: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all counts are where they should be.
fn run(arguments: &[String]) -> Result<bool, Failure> {
    let record = arguments.iter().any(|word| word == "--record");
    let mut chosen = Vec::new();
    for word in arguments.iter().filter(|word| *word != "--record") {
        chosen.push(Case::named(word).ok_or_else(|| {
            let names: Vec<_> = Case::ALL.iter().map(|case| case.name()).collect();
            format!("{USAGE}\n\nThe cases are {}.", names.join(", "))
        })?);
    }
    if record && !chosen.is_empty() {
        return Err(
            "--record counts all cases, so that all records have the same conditions".into(),
        );
    }
    if chosen.is_empty() {
        chosen = Case::ALL.to_vec();
    }

    callgrind::is_there()?;
    let file = folder().join("records.txt");
    let conditions = Conditions::detect()?;
    if record {
        let programs = Programs::build()?;
        let counts = count(&chosen, &programs, |_, _| false)?;
        let records = Records::new(conditions, &counts);
        std::fs::write(&file, records.to_string())?;
        println!("{records}");
        return Ok(true);
    }
    let text =
        std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let records = Records::parse(&text).map_err(|why| format!("{}: {why}", file.display()))?;
    let programs = Programs::build()?;
    let same = records.conditions == conditions;
    let counts = count(&chosen, &programs, |case, count| {
        let row = records.row(case);
        row.is_some_and(|row| row.verdict(count, same) == Verdict::Within)
    })?;
    compare(&records, &conditions, &counts)
}

/// Counts each case; once more if `holds` does not hold for what was counted first.
fn count(
    cases: &[Case],
    programs: &Programs,
    holds: impl Fn(Case, u64) -> bool,
) -> Result<Vec<(Case, u64)>, Failure> {
    let mut counts = Vec::new();
    for &case in cases {
        let named = |failure: Failure| format!("{}: {failure}", case.name());
        eprintln!("counting: {}", case.title());
        let totals = Totals::measure(case, programs).map_err(named)?;
        let mut count = totals.count(case).map_err(named)?;
        if !holds(case, count) {
            let again = Totals::measure(case, programs).map_err(named)?;
            count = totals.lowest(again).count(case).map_err(named)?;
        }
        counts.push((case, count));
    }
    Ok(counts)
}

fn compare(
    records: &Records,
    conditions: &Conditions,
    counts: &[(Case, u64)],
) -> Result<bool, Failure> {
    if records.conditions.architecture() != conditions.architecture() {
        println!(
            "The records are of {}: nothing is compared here.",
            records.conditions
        );
        for (case, count) in counts {
            println!("{}: {count}", case.name());
        }
        return Ok(true);
    }
    let same = records.conditions == *conditions;
    println!("| case | what | instructions | record | bound | difference |");
    println!("|---|---|---:|---:|---:|---:|");
    let mut remarks = Vec::new();
    let mut passed = true;
    for &(case, count) in counts {
        let row = records
            .row(case)
            .ok_or_else(|| format!("no record of {}", case.name()))?;
        let Row { record, .. } = row;
        let bound = row.bound(same);
        let percent = records::percent(count, record);
        println!(
            "| {} | {} | {count} | {record} | {bound} | {percent:+.1} % |",
            case.name(),
            case.title(),
        );
        let verdict = row.verdict(count, same);
        passed &= !verdict.fails();
        if let Some(remark) = remark(verdict, case, count, percent, row, same) {
            remarks.push(remark);
        }
    }
    if !same {
        println!(
            "\nThe records were made with {}.\nThis is {}.\nCounts differ between them for no fault of the \
             code, so the bounds are {} % above the records.",
            records.conditions,
            conditions,
            records::PERCENT_ELSEWHERE,
        );
    }
    for remark in remarks {
        println!("\n{remark}");
    }
    Ok(passed)
}

fn remark(
    verdict: Verdict,
    case: Case,
    count: u64,
    percent: f64,
    row: Row,
    same: bool,
) -> Option<String> {
    let Row { record, .. } = row;
    let name = case.name();
    let what = case.title();
    match verdict {
        Verdict::Within => None,
        Verdict::Slower => Some(format!(
            "FAILED: {name}: {what} takes {count} instructions, {percent:.1} % more than its record of \
             {record}; the bound is {}. Find what has become dearer (docs/performance.md, \"How to \
             measure\"). If it is worth its price, write the records anew and say why in the commit: \
             cargo run -p counts -- --record",
            row.bound(same),
        )),
        Verdict::Faster => Some(format!(
            "FAILED: {name}: {what} takes {count} instructions, {:.1} % less than its record of {record}. \
             That is good, and the record has to follow, or a later loss as large would pass: \
             cargo run -p counts -- --record",
            -percent,
        )),
        Verdict::FasterElsewhere => Some(format!(
            "Note: {name} takes {:.1} % less than its record, which may be the compiler's doing.",
            -percent,
        )),
    }
}

/// The folder of this crate, which holds the records.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_a_record_of_each_case() {
        let text = std::fs::read_to_string(folder().join("records.txt")).unwrap();
        let records = Records::parse(&text).unwrap();
        for case in Case::ALL {
            assert!(records.row(case).is_some(), "{}", case.name());
        }
        assert_eq!(records.to_string(), text, "written by hand: use --record");
    }

    #[test]
    fn each_failure_says_what_to_do() {
        let row = Row {
            record: 1000,
            bound: 1050,
        };
        for (count, same, part) in [
            (1051, true, Some("5.1 % more than its record of 1000")),
            (949, true, Some("5.1 % less than its record of 1000")),
            (1000, true, None),
            (900, false, Some("Note: http takes 10.0 % less")),
            (1151, false, Some("the bound is 1150")),
        ] {
            let percent = records::percent(count, row.record);
            let said = remark(
                row.verdict(count, same),
                Case::Http,
                count,
                percent,
                row,
                same,
            );
            match (part, &said) {
                (None, None) => {}
                (Some(part), Some(said)) => assert!(said.contains(part), "{said}"),
                other => panic!("{count}: {other:?}"),
            }
        }
    }
}
