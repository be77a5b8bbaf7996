//! Tests of panics in programs: one line each, whose text and number a caller cannot choose.

use std::time::Instant;

use serde_json::json;

use crate::program::Program;

/// The lines of the log with this text.
fn lines<'a>(log: &'a str, text: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(text)).collect()
}

/// How many lines were left out, of this kind.
fn left_out(log: &str, kind: &str) -> usize {
    let told = lines(log, &format!("further lines of {kind} were left out"));
    let count = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "further").unwrap();
        words[at - 1].parse::<usize>().unwrap()
    };
    told.iter().map(count).sum()
}

#[test]
fn a_panic_is_one_line_that_names_method_place_and_incident() {
    for method in ["now", "later"] {
        let mut program = Program::start("");
        let text = "first\nERROR forged\u{1b}[2J \u{202e}reversed";
        let answer = program.call(method, &json!([text]));
        let incident = answer["error"]["data"]["incident"].as_str().unwrap();
        let log = program.stop();
        let lines = lines(&log, "first");
        let [line] = &lines[..] else {
            panic!("{method}: {log}")
        };
        for part in [
            "ERROR antiphon::panic: a method panicked: first\\nERROR forged\\u{1b}[2J \\u{202e}reversed",
            &format!("incident=\"{incident}\""),
            &format!("method={method} "),
            "caller=http connection",
            "mod.rs:",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(
            !log.contains("stack backtrace") && !log.contains("RUST_BACKTRACE"),
            "{log}"
        );
        assert!(!log.contains("backtrace: "), "{log}");
    }
}

#[test]
fn a_program_keeps_its_own_panic_hook_if_it_asks() {
    let mut program = Program::start_with("", &[(super::OWN_HOOK, "1")]);
    let answer = program.call("now", &json!(["canary"]));
    let incident = answer["error"]["data"]["incident"].as_str().unwrap();
    let log = program.stop();
    assert_eq!(lines(&log, "a hook of its own").len(), 1, "{log}");
    // The library does not know the text, but it logs the incident.
    assert_eq!(lines(&log, incident).len(), 1, "{log}");
    assert_eq!(lines(&log, "canary").len(), 0, "{log}");
}

#[test]
fn every_panic_outside_of_a_method_has_its_line() {
    for (method, said) in [
        ("task", "a panic on thread"),
        ("thread", "a panic on thread without a name: canary"),
        ("caught", "canary method=caught"),
    ] {
        let mut program = Program::start("");
        assert_eq!(program.call(method, &json!(["canary"]))["result"], true);
        let log = program.stop();
        let found = lines(&log, "canary");
        assert_eq!(found.len(), 1, "{method}: {log}");
        assert!(found[0].contains(said), "{method}: {log}");
    }
}

#[test]
fn a_panic_in_a_drop_has_its_line() {
    let mut program = Program::start("--call-timeout 50ms");
    assert_eq!(
        program.call("dropped", &json!(["canary"]))["error"]["code"],
        -32001
    );
    let log = program.stop();
    assert_eq!(lines(&log, "a method panicked: canary").len(), 1, "{log}");
    assert_eq!(lines(&log, "canary").len(), 1, "{log}");
}

#[test]
fn what_aborts_the_process_is_in_the_log() {
    let mut program = Program::start("");
    program.call("aborts", &json!(["canary"]));
    let log = program.rest();
    assert!(lines(&log, "canary").len() == 2, "{log}");
    assert_eq!(
        lines(&log, "panic in a destructor during cleanup").len(),
        1,
        "{log}"
    );
    assert!(!program.child.wait().unwrap().success());
}

#[test]
fn a_backtrace_is_one_line_at_debug_level() {
    let mut program = Program::start("--log antiphon=debug");
    program.call("now", &json!(["canary"]));
    let log = program.stop();
    let found = lines(&log, "DEBUG antiphon::panic: backtrace: 0: ");
    assert_eq!(found.len(), 1, "{log}");
    assert!(found[0].contains("program::boom"), "{log}");
}

#[test]
fn huge_panics_are_bounded_lines_and_at_most_twenty_a_second() {
    const CALLS: usize = 60;
    let mut program = Program::start("");
    let began = Instant::now();
    for _ in 0..CALLS {
        assert_eq!(
            program.call("big", &json!([5_000_000]))["error"]["code"],
            -32603
        );
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    let log = program.stop();
    let shown = lines(&log, "a method panicked").len();
    assert!(shown > 0 && shown <= 20 * seconds, "{shown} in {seconds} s");
    assert_eq!(shown + left_out(&log, "antiphon::panic"), CALLS, "{log}");
    let longest = log.lines().map(str::len).max().unwrap();
    assert!(longest < 16 * 1024, "{longest}");
    assert!(!log.contains('\u{1b}'));
}

#[test]
fn failures_are_limited_and_what_is_left_out_is_told() {
    const CALLS: usize = 500;
    let mut program = Program::start("");
    let began = Instant::now();
    for _ in 0..CALLS {
        program.call("fails", &json!([]));
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    // It is told while the program runs, although no further line follows.
    let mut log = program.until("were left out");
    log += &program.stop();
    let shown = lines(&log, "it failed").len();
    assert!(shown <= 20 * seconds, "{shown} in {seconds} s");
    assert_eq!(
        shown + left_out(&log, "antiphon::error::incident"),
        CALLS,
        "{log}"
    );
}

#[test]
fn without_a_log_a_panic_is_answered_all_the_same() {
    let mut program = Program::start("--log off");
    assert_eq!(
        program.call("now", &json!(["canary"]))["error"]["code"],
        -32603
    );
    assert_eq!(program.call("fine", &json!([]))["result"], "fine");
    assert_eq!(program.stop(), "");
}
