//! Identifiers in generated code: ASCII, unique in their scope, never a keyword.

use std::collections::{HashMap, HashSet};

/// Splits a name into words. Every character other than a letter or digit separates words; so does
/// a capital letter after a lowercase letter or digit, or before a lowercase letter (`HTTPServer`).
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let letters: Vec<char> = name.chars().collect();
    for (at, &letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let after = letters.get(at + 1);
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || after.is_some_and(char::is_ascii_lowercase)
            });
        if !word.is_empty() && (begins || !letter.is_ascii_alphanumeric()) {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// `calc.randomPaths` → `CalcRandomPaths`.
pub(crate) fn pascal(name: &str) -> String {
    let capital = |word: String| match word.chars().all(|c| !c.is_ascii_lowercase()) {
        // An acronym of more than two letters is capitalised (`HTTP`, `VALUE`); shorter ones are
        // kept.
        true if word.len() > 2 => format!("{}{}", &word[..1], word[1..].to_ascii_lowercase()),
        _ => format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..]),
    };
    let name: String = words(name).into_iter().map(capital).collect();
    begun(name, "Type", 'T')
}

/// `calc.randomPaths` → `calc_random_paths`.
pub(crate) fn snake(name: &str) -> String {
    let lower: Vec<_> = words(name)
        .iter()
        .map(|word| word.to_ascii_lowercase())
        .collect();
    begun(lower.join("_"), "unnamed", '_')
}

/// `calc.randomPaths` → `CALC_RANDOM_PATHS`.
pub(crate) fn screaming(name: &str) -> String {
    begun(words(name).join("_").to_ascii_uppercase(), "UNNAMED", '_')
}

/// The name itself if it is an identifier, otherwise its words: `random-paths` → `random_paths`.
pub(crate) fn kept(name: &str) -> String {
    // Python mangles names with two leading underscores in classes.
    match is_identifier(name) && !name.starts_with("__") {
        true => begun(name.to_owned(), "unnamed", '_'),
        false => {
            let parts = name.split(|c: char| !c.is_ascii_alphanumeric());
            let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
            begun(parts.join("_"), "unnamed", '_')
        }
    }
}

/// Whether the name is an identifier in all target languages, keywords aside.
pub(crate) fn is_identifier(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(letters)
        && name.chars().any(|c| c != '_')
}

/// Maximum length of an identifier, so that it fits on a line.
const MAX_NAME: usize = 60;

/// Makes an identifier that is not too long, not empty, and does not begin with a digit.
fn begun(mut name: String, empty: &str, digit: char) -> String {
    // Cannot panic: the name is ASCII.
    name.truncate(MAX_NAME);
    match name.chars().next() {
        None => empty.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("{digit}{name}"),
        Some(_) => name,
    }
}

/// The identifiers taken in one scope.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    taken: HashSet<String>,
    /// The last numeric suffix per name. It keeps many equal names from taking quadratic time.
    numbers: HashMap<String, u64>,
}

impl Scope {
    /// A scope in which these names are reserved.
    pub(crate) fn with(reserved: &[&[&str]]) -> Self {
        let taken = reserved.iter().copied().flatten();
        Self {
            taken: taken.map(|&name| name.to_owned()).collect(),
            numbers: HashMap::new(),
        }
    }

    /// Whether nobody has taken this name.
    pub(crate) fn is_free(&self, name: &str) -> bool {
        !self.taken.contains(name)
    }

    /// Takes this name, or a free variation of it: `name_`, `name_2`, …
    pub(crate) fn take(&mut self, name: String) -> String {
        self.take_with(name, "_")
    }

    /// Takes a type name, or a free variation of it: `Name2`.
    pub(crate) fn take_type(&mut self, name: String) -> String {
        self.take_with(name, "")
    }

    fn take_with(&mut self, name: String, joint: &str) -> String {
        if self.taken.insert(name.clone()) {
            return name;
        }
        let plain = format!("{name}{joint}");
        if self.taken.insert(plain.clone()) {
            return plain;
        }
        let number = self.numbers.entry(plain).or_insert(1);
        loop {
            *number += 1;
            let numbered = format!("{name}{joint}{number}");
            if self.taken.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_words() {
        let table = [
            (
                "calc.randomPaths",
                "CalcRandomPaths",
                "calc_random_paths",
                "calc_randomPaths",
            ),
            (
                "eth_getBalance",
                "EthGetBalance",
                "eth_get_balance",
                "eth_getBalance",
            ),
            (
                "HTTPServer2Go",
                "HttpServer2Go",
                "http_server2_go",
                "HTTPServer2Go",
            ),
            ("$/cancel", "Cancel", "cancel", "cancel"),
            (
                "textDocument/did-open",
                "TextDocumentDidOpen",
                "text_document_did_open",
                "textDocument_did_open",
            ),
            ("2nd", "T2nd", "_2nd", "_2nd"),
            ("", "Type", "unnamed", "unnamed"),
            ("__init__", "Init", "init", "init"),
            ("_", "Type", "unnamed", "unnamed"),
            ("größe", "GrE", "gr_e", "gr_e"),
            ("日本", "Type", "unnamed", "unnamed"),
            ("VALUE_ONE", "ValueOne", "value_one", "VALUE_ONE"),
            ("x\"; drop()", "XDrop", "x_drop", "x_drop"),
        ];
        for (name, is_pascal, is_snake, is_kept) in table {
            assert_eq!(pascal(name), is_pascal, "{name}");
            assert_eq!(snake(name), is_snake, "{name}");
            assert_eq!(kept(name), is_kept, "{name}");
        }
        assert_eq!(screaming("division by Zero"), "DIVISION_BY_ZERO");
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut scope = Scope::with(&[&["type", "self"]]);
        let asked = ["type", "a", "a", "a", "a_", "self", "type_"];
        let given = asked.map(|name| scope.take(name.to_owned()));
        assert_eq!(given, ["type_", "a", "a_", "a_2", "a__", "self_", "type__"]);
        let given = ["B", "B", "B"].map(|name| scope.take_type(name.to_owned()));
        assert_eq!(given, ["B", "B2", "B3"]);
    }
}
