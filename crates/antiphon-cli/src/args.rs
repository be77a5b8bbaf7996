//! Parameters of a call, from the command line, a file or standard input.
//!
//! An argument that parses as JSON is JSON; any other argument is a string. JSON is sent exactly as
//! it was written: a number of 30 digits arrives with 30 digits.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};

use antiphon::Params;
use serde_json::value::{RawValue, to_raw_value};

use crate::exit::Failure;

/// Limit of what is read from a file or standard input, in bytes.
const MAX_INPUT: u64 = 256 * 1024 * 1024;

/// Parses command-line words as parameters: all positional (`3 4`) or all named (`a=3 b=4`).
///
/// # Errors
///
/// If positional and named parameters are mixed, or a name is repeated.
pub(crate) fn from_words(words: &[String]) -> Result<Params, Failure> {
    let by_name = words.first().is_some_and(|word| named(word).is_some());
    let mut names = HashSet::new();
    let mut params = Params::none();
    for word in words {
        params = match (by_name, named(word)) {
            (true, Some((name, _))) if !names.insert(name) => {
                return Err(Failure::usage(format!("`{name}` is given twice")));
            }
            (true, Some((name, text))) => params.insert(name.to_owned(), value(text)?),
            (false, None) => params.push(value(word)?),
            _ => {
                return Err(Failure::usage(format!(
                    "`{word}`: parameters go all by position (3 4) or all by name (a=3 b=4); a \
                     text that looks like a name is written in JSON: '\"a=3\"'"
                )));
            }
        };
    }
    Ok(params)
}

/// Reads parameters from `JSON`, `@FILE`, or `@-` for standard input.
///
/// # Errors
///
/// If the input cannot be read, or is neither a JSON array nor a JSON object.
pub(crate) fn from_data(data: &str) -> Result<Params, Failure> {
    match data.strip_prefix('@') {
        Some(path) => from_json(&read(path)?),
        None => from_json(data),
    }
    .map_err(|reason| Failure::usage(format!("the parameters cannot be sent: {reason}")))
}

/// Parses parameters from JSON text.
///
/// # Errors
///
/// If the text is neither an array nor an object; the error text says why.
pub(crate) fn from_json(text: &str) -> Result<Params, String> {
    let structured = text.trim_start().starts_with(['[', '{']);
    let params = Params::from_json(text);
    match params.to_json() {
        _ if !structured => Err("they are a JSON array (by position) or object (by name)".into()),
        Err(error) => Err(error.to_string()),
        Ok(_) => Ok(params),
    }
}

/// Reads a whole file; `-` or an empty name means standard input.
///
/// # Errors
///
/// If the file cannot be read, is too long, or is not UTF-8.
pub(crate) fn read(path: &str) -> Result<String, Failure> {
    read_up_to(path, MAX_INPUT)
}

/// Reads a whole file of at most so many bytes; `-` or an empty name means standard input.
///
/// # Errors
///
/// As for [`read`].
pub(crate) fn read_up_to(path: &str, max: u64) -> Result<String, Failure> {
    let fail = |error: io::Error| Failure::io(&named_input(path), &error);
    let mut text = String::new();
    let input: &mut dyn Read = match path {
        "" | "-" => &mut io::stdin(),
        path => &mut File::open(path).map_err(fail)?,
    };
    let read = input.take(max + 1).read_to_string(&mut text);
    if read.map_err(fail)? as u64 > max {
        return Err(Failure::usage(format!(
            "{}: longer than {max} bytes",
            named_input(path)
        )));
    }
    Ok(text)
}

/// The name of an input in error messages.
pub(crate) fn named_input(path: &str) -> String {
    match path {
        "" | "-" => "standard input".to_owned(),
        path => path.to_owned(),
    }
}

/// Splits `name=value`; `None` if the word does not have this form.
fn named(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let letters = |c: char| c.is_alphanumeric() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (begins && name.chars().all(letters)).then_some((name, value))
}

/// Keeps valid JSON as it is, and turns any other text into a JSON string.
fn value(text: &str) -> Result<Box<RawValue>, Failure> {
    serde_json::from_str(text)
        .or_else(|_| to_raw_value(text))
        .map_err(|error| Failure::usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(words: &[&str]) -> Result<Option<String>, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let params = from_words(&words).map_err(|failure| failure.to_string())?;
        params.to_json().map_err(ToString::to_string)
    }

    #[test]
    fn words_become_parameters() {
        let table: &[(&[&str], Option<&str>)] = &[
            (&[], None),
            (&["3", "4"], Some("[3,4]")),
            (&["a=3", "b=4"], Some(r#"{"a":3,"b":4}"#)),
            (&["null", "true", "[1, 2]"], Some("[null,true,[1, 2]]")),
            (
                &["x", "", "01", "1.", "nan"],
                Some(r#"["x","","01","1.","nan"]"#),
            ),
            (&["\"3\"", " 3 "], Some(r#"["3",3]"#)),
            (&["\"a=3\"", "4"], Some(r#"["a=3",4]"#)),
            (
                &["1=2", "a-b=3", "a:=4", "=5"],
                Some(r#"["1=2","a-b=3","a:=4","=5"]"#),
            ),
            (
                &["a=", "b==", "_c1=x=y"],
                Some(r#"{"a":"","b":"=","_c1":"x=y"}"#),
            ),
            (&["1e400", "-0.10"], Some("[1e400,-0.10]")),
            (
                &["123456789012345678901234567890"],
                Some("[123456789012345678901234567890]"),
            ),
            (&["{\"a\":1e999}"], Some(r#"[{"a":1e999}]"#)),
        ];
        for (words, expected) in table {
            let sent = sent(words).unwrap();
            assert_eq!(sent.as_deref(), *expected, "{words:?}");
        }
    }

    #[test]
    fn words_of_both_kinds_are_refused() {
        let table: &[(&[&str], &str)] = &[
            (&["3", "b=4"], "`b=4`: parameters go all by position"),
            (&["a=3", "4"], "`4`: parameters go all by position"),
            (&["a=3", "b=4", "a=5"], "`a` is given twice"),
        ];
        for (words, part) in table {
            let error = sent(words).unwrap_err();
            assert!(error.contains(part), "{words:?}: {error}");
        }
    }

    #[test]
    fn data_is_an_array_or_an_object() {
        for good in ["[]", "{}", " [1e400]\n", r#"{"a":[{}]}"#] {
            assert!(from_json(good).is_ok(), "{good}");
        }
        for bad in ["", "3", "null", "\"[]\"", "[1", "{a:1}", "[1] 2"] {
            assert!(from_json(bad).is_err(), "{bad}");
        }
    }
}
