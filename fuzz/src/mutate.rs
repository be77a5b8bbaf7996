//! Runs the targets without a fuzzer: all seeds, then changed ones.

use std::thread;

use crate::seeds::{self, Seed};
use crate::{dispatch, framing, parse};

/// What is put into inputs: what means something to a parser, and what must not.
const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b" ",
    b"\n",
    b"\r",
    b"\r\n",
    b"\t",
    b"0",
    b"-",
    b".",
    b"e",
    b"E+9",
    b"1e400",
    b"-0",
    b"01",
    b"true",
    b"null",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00",
    b"\\u00",
    b"\\x",
    b"\0",
    b"\x1F",
    b"\x7F",
    b"\x80",
    b"\xC0\x80",
    b"\xC3\xA9",
    b"\xED\xA0\x80",
    b"\xEF\xBB\xBF",
    b"\xF0\x9F\x98\x80",
    b"\xF4\x90\x80\x80",
    b"\xFF",
    b"\"id\":",
    b"\"i\\u0064\":1,",
    b"\"jsonrpc\":\"2.0\",",
    b"\"method\":\"tick\",",
    b"\"params\":[]",
    b"\"result\":1",
    b"\"error\":{}",
    b"\"timeout\":1,",
    b"Content-Length: 5\r\n",
    b"Content-Type: a/b; charset=utf-8\r\n",
    b"[[[[[[[[[[[[[[[[",
    b"]]]]]]]]]]]]]]]]",
    b"{\"\":{\"\":{\"\":{\"\":",
];

/// Longer inputs are run as they are and not changed: they would take all the time.
const CHANGED: usize = 2048;
/// What a changed one may grow to.
const GROWN: usize = 4096;

/// Marsaglia's xorshift: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap_or_default()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A part of a text, at most so long.
    fn part<'a>(&mut self, text: &'a [u8], longest: usize) -> &'a [u8] {
        let start = self.below(text.len() + 1);
        let length = self.below(longest.min(text.len() - start) + 1);
        &text[start..start + length]
    }

    /// One to four changes.
    fn change(&mut self, input: &mut Vec<u8>, others: &[Seed]) {
        for _ in 0..=self.below(4) {
            let at = self.below(input.len() + 1);
            let up_to = at + self.below(input.len() - at + 1).min(16);
            match self.below(8) {
                0 | 1 => drop(input.splice(at..at, self.one(WORDS).iter().copied())),
                2 => drop(input.splice(at..up_to, self.one(WORDS).iter().copied())),
                3 => drop(input.drain(at..up_to)),
                4 if at < input.len() => input[at] ^= 1 << self.below(8),
                5 => {
                    let copy = self.part(input, 64).to_vec();
                    input.splice(at..at, copy);
                }
                6 => {
                    let other = self.one(others);
                    let piece = self.part(other, 256).to_vec();
                    input.splice(at..up_to, piece);
                }
                _ if self.below(4) == 0 => input.truncate(at),
                _ => {}
            }
        }
        input.truncate(GROWN);
    }
}

/// Says which input it was if a check panics.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the input was b\"{}\"", self.0.escape_ascii());
        }
    }
}

fn run(check: fn(&[u8]), seeds: &[Seed]) {
    let check = |input: &[u8]| {
        let shown = Shown(input);
        check(shown.0);
    };
    seeds.iter().for_each(|seed| check(seed));

    let usual = if cfg!(debug_assertions) {
        50_000
    } else {
        200_000
    };
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let rounds = number("ANTIPHON_FUZZ_ROUNDS").unwrap_or(usual);
    let start = number("ANTIPHON_FUZZ_SEED").unwrap_or(0x9E37_79B9_7F4A_7C15);
    let mut random = Random(start.max(1));

    let short: Vec<_> = seeds.iter().filter(|seed| seed.len() <= CHANGED).collect();
    // Every second input is a change of the one before, so that changes add up.
    let mut input = Vec::new();
    for round in 0..rounds {
        if round % 8 == 0 {
            input = random.one(&short).to_vec();
        }
        random.change(&mut input, seeds);
        check(&input);
    }
}

#[test]
fn the_parser_agrees_with_serde_json() {
    run(parse::check, &seeds::parse());
}

#[test]
fn the_table_of_json_texts_and_serde_json_agree() {
    use crate::model::{Message, read};

    for (name, text, legal) in seeds::verdicts() {
        assert_eq!(!matches!(read(&text), Message::Syntax), legal, "{name}");
    }
}

#[test]
fn pieces_of_a_stream_never_change_its_messages() {
    run(framing::check, &seeds::framing());
}

#[test]
fn every_call_has_one_answer_and_no_notification_has_any() {
    run(dispatch::check, &seeds::dispatch());
}
