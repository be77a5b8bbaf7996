//! JSON text of Rust values, compared with serde_json's.

use std::collections::BTreeMap;
use std::io::{self, Write};

use antiphon_proto::{json_vec, write_json};
use serde::Serialize;
use serde_json::value::RawValue;

fn check<T: Serialize + ?Sized>(value: &T) {
    let ours = json_vec(value).map(|text| String::from_utf8_lossy(&text).into_owned());
    let theirs = serde_json::to_string(value);
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
        (Err(ours), Err(theirs)) => assert_eq!(ours.to_string(), theirs.to_string()),
        (ours, theirs) => panic!("{ours:?} is not {theirs:?}"),
    }
}

#[derive(Serialize)]
struct Unit;
#[derive(Serialize)]
struct Newtype(String);
#[derive(Serialize)]
struct Pair(u8, Option<char>);
#[derive(Serialize)]
struct Empty {}
#[derive(Serialize)]
struct Members {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u8>,
    #[serde(rename = "a \"quoted\" name that is longer than what is short, with a\nline break")]
    long: Unit,
    #[serde(flatten)]
    rest: BTreeMap<String, f64>,
}
#[derive(Serialize)]
enum Kind {
    Unit,
    Newtype(Vec<Pair>),
    Tuple(i8, String),
    Struct { empty: Empty, long: String },
}
#[derive(Serialize)]
#[serde(tag = "type")]
enum Tagged {
    Struct { a: u8 },
}
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Key(u16);
/// Serialized as bytes, and as text that is formatted.
struct Bytes(Vec<u8>);
struct Shown(f64);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}
impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}\"\n", self.0))
    }
}

#[test]
fn values_of_all_kinds_have_the_text_of_serde_json() {
    check(&(true, (), None::<u8>, Some("x"), 'é', '"'));
    check(&(i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN));
    check(&(u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX));
    check(&(1.0_f32, 0.1_f32, 1e300, -0.0, f64::NAN, f32::INFINITY));
    check(&(Unit, Newtype("n".repeat(100)), Pair(1, None), Empty {}));
    check(&[(); 0]);
    check(&vec![vec![1], vec![], vec![2, 3]]);
    check(&Members {
        name: "x".into(),
        left_out: None,
        long: Unit,
        rest: BTreeMap::from([("r".repeat(99), 1.5), ("\u{1}".into(), 2.0)]),
    });
    check(&Kind::Unit);
    check(&Kind::Newtype(vec![Pair(1, Some('\n'))]));
    check(&Kind::Tuple(-1, "t".repeat(64)));
    check(&Kind::Struct {
        empty: Empty {},
        long: "\\".repeat(200),
    });
    check(&Tagged::Struct { a: 1 });
    check(&(Bytes(vec![0, 255]), Shown(0.5)));
}

#[test]
fn keys_are_strings_or_become_some() {
    check(&BTreeMap::from([(1, 'a'), (-2, 'b')]));
    check(&BTreeMap::from([
        (Key(7), "k".repeat(70)),
        (Key(8), String::new()),
    ]));
    check(&BTreeMap::from([(true, 1), (false, 2)]));
    check(&BTreeMap::from([('c', 1)]));
    check(&BTreeMap::from([("\"long\"".repeat(30), 1)]));
    check(&BTreeMap::<String, u8>::new());
    // These have no JSON form.
    check(&BTreeMap::from([(vec![1], 2)]));
    check(&BTreeMap::from([((1, 2), 3)]));
    check(&[BTreeMap::from([(Some(1), 2)]), BTreeMap::from([(None, 2)])]);
}

#[test]
fn values_of_serde_json_keep_their_text() {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    check(&raw(r#"{"a" : [1e400, "\u0041"]}"#));
    check(&(raw("1.0"), raw(&format!("\"{}\"", "x".repeat(100)))));
    let value = r#"{"a":[1,-2,0.5,18446744073709551615,null,true],"b":{"c":"d"},"e":{},"f":[]}"#;
    check(&serde_json::from_str::<serde_json::Value>(value).unwrap());
}

#[test]
fn every_character_is_escaped_as_by_serde_json_wherever_it_stands() {
    let characters = (0..=0x80_u8)
        .map(char::from)
        .chain(['é', '€', '🦀', '\u{2028}']);
    for character in characters {
        for before in [0, 1, 7, 8, 31, 32, 33, 63, 64, 65, 130] {
            for after in [0, 1, 62, 63, 64, 200] {
                let text = ["p".repeat(before), "q".repeat(after)].join(&character.to_string());
                check(&text);
            }
        }
        check(&character.to_string().repeat(300));
    }
}

/// A writer that fails when it has taken so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_ends_it() {
    let value = (
        Kind::Tuple(-1, "t\n".repeat(64)),
        BTreeMap::from([(1, "x")]),
    );
    let length = json_vec(&value).unwrap().len();
    for room in 0..=length {
        let written = write_json(&mut Full(room), &value);
        assert_eq!(written.is_ok(), room == length, "{room}");
    }
}
