//! Tests that run the targets without a fuzzer, with all seeds and with mutated ones.
//!
//! Half of the mutations change bytes, and make most texts invalid. The other half change tokens,
//! and keep most texts valid JSON.

use std::ops::Range;
use std::thread;

use crate::seeds::{self, Seed};
use crate::{batch, client, dispatch, framing, parse, scripts, session};

/// Texts that are inserted into inputs: tokens, and texts that must have no effect.
#[rustfmt::skip]
const WORDS: &[&[u8]] = &[
    b"{", b"}", b"[", b"]", b",", b":", b"\"", b"\\", b" ", b"\n", b"\r", b"\r\n", b"\t", b"0",
    b"-", b".", b"e", b"E+9", b"1e400", b"-0", b"01", b"true", b"null", b"\\u0000", b"\\ud800",
    b"\\udc00", b"\\u00", b"\\x", b"\0", b"\x1F", b"\x7F", b"\x80", b"\xC0\x80", b"\xC3\xA9",
    b"\xED\xA0\x80", b"\xEF\xBB\xBF", b"\xF0\x9F\x98\x80", b"\xF4\x90\x80\x80", b"\xFF", b"\"id\":",
    b"\"i\\u0064\":1,", b"\"jsonrpc\":\"2.0\",", b"\"method\":\"tick\",", b"\"params\":[]",
    b"\"result\":1", b"\"error\":{}", b"\"timeout\":1,", b"Content-Length: 5\r\n",
    b"Content-Type: a/b; charset=utf-8\r\n", b"[[[[[[[[[[[[[[[[", b"]]]]]]]]]]]]]]]]",
    b"{\"\":{\"\":{\"\":{\"\":",
];

/// Replacements for values.
#[rustfmt::skip]
const VALUES: &[&str] = &[
    "0", "-1", "1.50", "-0", "1e400", "123456789012345678901234567890", "null", "true", "false",
    "[]", "{}", "[3,7]", "[[1],[]]", r#"{"a":3,"b":7}"#, r#"{"id":1}"#, r#""""#, r#""x""#,
    r#""\ud800""#, r#""\"]}""#, r#""2.0""#, r#""tick""#, r#""later""#, r#""echo""#, r#""text""#,
    r#""calc.add""#, r#""id""#, r#""method""#, r#""params""#, r#""jsonrpc""#, r#""timeout""#,
    "\"\u{fc}\u{1f600}\"",
];

/// Replacements for members.
#[rustfmt::skip]
const MEMBERS: &[&str] = &[
    r#""id":1"#, r#""id":"x""#, r#""i\u0064":2"#, r#""method":"tick""#, r#""method":"later""#,
    r#""params":[]"#, r#""params":{}"#, r#""params":["a"]"#, r#""jsonrpc":"2.0""#, r#""result":1"#,
    r#""error":{"code":1,"message":""}"#, r#""timeout":0"#, r#""traceparent":"0""#,
    r#""foo":{"id":1}"#, r#""\ud800":1"#, r#""":[[]]"#,
];

/// Entries of a batch.
const ENTRIES: &[&str] = &[
    r#"{"jsonrpc":"2.0","id":1,"method":"tick"}"#,
    r#"{"jsonrpc":"2.0","method":"tick"}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"later"}"#,
    r#"{"jsonrpc":"2.0","method":"later"}"#,
    r#"{"jsonrpc":"2.0","id":3}"#,
    "1",
];

/// The maximum size of a mutated seed. Longer seeds run only unchanged, to save time.
const CHANGED: usize = 2048;
/// The maximum size after mutations.
const GROWN: usize = 4096;

/// Pseudo-random numbers (Marsaglia's xorshift), the same on every machine.
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

    /// A random part of a text, with a maximum length.
    fn part<'a>(&mut self, text: &'a [u8], longest: usize) -> &'a [u8] {
        let start = self.below(text.len() + 1);
        let length = self.below(longest.min(text.len() - start) + 1);
        &text[start..start + length]
    }

    /// Mutates the tokens of a JSON text.
    fn rearrange(&mut self, input: &mut Vec<u8>) {
        let tokens = tokens(input);
        let Range { start, end } = match tokens.len() {
            0 => 0..0,
            count => tokens[self.below(count)].clone(),
        };
        let first = input.get(start).copied().unwrap_or_default();
        let is_value = matches!(first, b'"' | b'-' | b'0'..=b'9' | b'a'..=b'z');
        match (self.below(6), first) {
            (0 | 1, _) if is_value => {
                input.splice(start..end, self.one(VALUES).bytes());
            }
            (2, b'"') if end - start > 2 => {
                let at = start + 1 + self.below(end - start - 2);
                if input[at].is_ascii_alphanumeric() && input[at - 1] != b'\\' {
                    let spelled = format!("\\u{:04x}", input[at]);
                    input.splice(at..=at, spelled.bytes());
                }
            }
            (_, b'{') if input.get(end) == Some(&b'"') => {
                let member = format!("{},", self.one(MEMBERS));
                input.splice(end..end, member.bytes());
            }
            (_, b'[') if input.get(end) != Some(&b']') => {
                let value = self.one(if start == 0 { ENTRIES } else { VALUES });
                input.splice(end..end, format!("{value},").bytes());
            }
            (3, _) => drop(input.splice(start..start, self.one(&[" ", "\n", "\t\r "]).bytes())),
            (4, _) if self.below(4) == 0 => {
                let before = format!("[{},", self.one(ENTRIES));
                input.splice(0..0, before.bytes());
                input.push(b']');
            }
            _ => {}
        }
    }

    /// One to four changes of bytes.
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
    }
}

/// The tokens of a JSON text; an approximation if the text is not JSON.
fn tokens(text: &[u8]) -> Vec<Range<usize>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = text.get(at) {
        let rest = &text[at + 1..];
        let more = match first {
            b'"' => {
                let mut escaped = false;
                let end = rest.iter().position(|&byte| {
                    let ends = byte == b'"' && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    ends
                });
                end.map_or(rest.len(), |end| end + 1)
            }
            b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                let word = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                rest.iter().take_while(word).count()
            }
            _ => 0,
        };
        tokens.push(at..at + 1 + more);
        at += 1 + more;
    }
    tokens
}

/// Prints the input if a check panics.
struct PrintInput<'a>(&'a [u8]);

impl Drop for PrintInput<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the input was b\"{}\"", self.0.escape_ascii());
        }
    }
}

/// Costs of a batch and of a connection, in messages.
const BATCH: u64 = 5;
const CONNECTION: u64 = 20;

/// Runs the seeds and then mutated ones. A higher `cost` means fewer of them.
fn run(check: fn(&[u8]) -> bool, seeds: &[Seed], cost: u64) {
    let check = |input: &[u8]| {
        let shown = PrintInput(input);
        check(shown.0)
    };
    for seed in seeds {
        check(seed);
    }

    let usual = if cfg!(debug_assertions) {
        50_000
    } else {
        200_000
    };
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let rounds = number("ANTIPHON_FUZZ_ROUNDS").unwrap_or(usual) / cost;
    let start = number("ANTIPHON_FUZZ_SEED").unwrap_or(0x9E37_79B9_7F4A_7C15);
    let mut random = Random(start.max(1));

    let short: Vec<_> = seeds.iter().filter(|seed| seed.len() <= CHANGED).collect();
    // Mutations accumulate for some rounds.
    let (mut input, mut good) = (Vec::new(), 0);
    for round in 0..rounds {
        if round % 8 == 0 || input.len() > GROWN {
            input = random.one(&short).to_vec();
        }
        match round % 16 {
            0..8 => random.rearrange(&mut input),
            _ => {
                input = random.one(&short).to_vec();
                random.change(&mut input, seeds);
            }
        }
        good += u64::from(check(&input));
    }
    // Mutations that make all inputs invalid, or none, would test little.
    let share = 100 * good / rounds.max(1);
    assert!(
        (10..90).contains(&share),
        "{share} % of {rounds} inputs were good"
    );
}

#[test]
fn the_parser_agrees_with_serde_json() {
    run(parse::check, &seeds::parse(), 1);
}

#[test]
fn the_table_of_json_texts_and_serde_json_agree() {
    use crate::model::{Message, read};

    for (name, text, legal) in seeds::verdicts() {
        assert_eq!(!matches!(read(&text), Message::Syntax), legal, "{name}");
    }
}

#[test]
fn the_pieces_of_a_stream_do_not_change_its_messages() {
    run(framing::check, &seeds::framing(), 1);
}

#[test]
fn every_call_has_one_answer_and_no_notification_has_any() {
    run(dispatch::check, &seeds::dispatch(), 1);
}

#[test]
fn every_entry_of_a_batch_is_answered_in_order() {
    run(batch::check, &scripts::batch(), BATCH);
}

#[test]
fn a_hostile_client_gets_one_answer_to_each_call() {
    run(session::check, &scripts::session(), CONNECTION);
}

#[test]
fn with_a_hostile_server_every_call_ends_with_its_own_response() {
    run(client::check, &scripts::client(), CONNECTION);
}
