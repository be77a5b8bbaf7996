//! Check that every place that can hold a peer's bytes says what bounds them.
//!
//! A server holds nothing for a peer without a bound (`docs/limits.md`). So every field whose type
//! can hold any number of bytes has a row in `held_bytes.txt`, with what bounds it. Types are known
//! by their names: those of collections, and of our own that carry a message or a part of one.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::root;
use crate::source::{self, Source};

/// The rows: the name of a file, and under it, indented, `field: what bounds it`.
const TABLE: &str = include_str!("held_bytes.txt");

/// Folders and files that hold only what the program, its operator or this library has written, or
/// what was made from that.
const OWN: &[&str] = &[
    "antiphon/address/",
    "antiphon/admin_token/",
    "antiphon/client/builder/",
    "antiphon/client/tls.rs",
    "antiphon/describe/",
    "antiphon/error/",
    "antiphon/files/",
    "antiphon/mcp/builder.rs",
    "antiphon/mcp/content.rs",
    "antiphon/mcp/prompts.rs",
    "antiphon/mcp/resources.rs",
    "antiphon/mcp/tools.rs",
    "antiphon/program/",
    "antiphon/router/builder.rs",
    "antiphon/router/error.rs",
    "antiphon/router/freeze.rs",
    "antiphon/router/method.rs",
    "antiphon/server/app.rs",
    "antiphon/server/bound.rs",
    "antiphon/server/builder.rs",
    "antiphon/server/commands.rs",
    "antiphon/server/error.rs",
    "antiphon/server/listener.rs",
    "antiphon/server/settings.rs",
    "antiphon/server/supervision.rs",
    "antiphon/supervisor/",
    "antiphon/transport/no_tls.rs",
    "antiphon/transport/tls/",
    "antiphon/transport/unix_bind/",
];

/// Types that can hold any number of bytes.
const HOLDERS: &[&str] = &[
    // Collections, texts and channels.
    "BTreeMap",
    "BTreeSet",
    "BinaryHeap",
    "Bytes",
    "BytesMut",
    "HashMap",
    "HashSet",
    "HeaderMap",
    "HeaderValue",
    "IntoIter",
    "JoinSet",
    "LinkedList",
    "OsString",
    "Parts",
    "PathBuf",
    "RawValue",
    "Receiver",
    "Sender",
    "String",
    "UnboundedReceiver",
    "UnboundedSender",
    "UnsyncBoxBody",
    "Uri",
    "Value",
    "Vec",
    "VecDeque",
    // What our own types carry messages or parts of them in.
    "Answer",
    "Answered",
    "Body",
    "Call",
    "CallEnd",
    "Cancels",
    "CurrentCall",
    "Entry",
    "Envelope",
    "EnvelopeId",
    "ErrorObject",
    "Event",
    "Events",
    "Extensions",
    "Id",
    "Incoming",
    "Invalid",
    "Name",
    "Opening",
    "Origin",
    "Outgoing",
    "Output",
    "Parsing",
    "Payload",
    "RawJson",
    "Reply",
    "Request",
    "Response",
];

type Tokens = Vec<TokenTree>;

fn is(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c)
}

fn word(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(word)) => Some(word.to_string()),
        _ => None,
    }
}

fn is_parenthesis(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
}

/// How an angle bracket at this place changes the depth; that of an arrow does not.
fn depth_change(tokens: &[TokenTree], at: usize) -> i32 {
    let is_arrow = at > 0 && is(tokens.get(at - 1), '-');
    i32::from(is(tokens.get(at), '<')) - i32::from(is(tokens.get(at), '>') && !is_arrow)
}

/// The fields or variants of a group, without their attributes.
fn parts(group: &Group) -> Vec<Tokens> {
    let tokens: Tokens = group.stream().into_iter().collect();
    let (mut parts, mut depth, mut at) = (vec![Tokens::new()], 0, 0);
    while let Some(token) = tokens.get(at) {
        depth += depth_change(&tokens, at);
        let last = parts.len() - 1;
        if is(Some(token), '#') {
            at += 1;
        } else if is(Some(token), ',') && depth == 0 {
            parts.push(Tokens::new());
        } else {
            parts[last].push(token.clone());
        }
        at += 1;
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether a value of this type can hold bytes of its own. A reference holds none.
fn holds(tokens: &[TokenTree]) -> bool {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                at += if is(tokens.get(at + 1), '\'') { 3 } else { 1 };
                at += usize::from(word(tokens.get(at)).as_deref() == Some("mut"));
            }
            TokenTree::Ident(name) if name == "str" => return true,
            TokenTree::Ident(name) if HOLDERS.iter().any(|holder| name == holder) => return true,
            TokenTree::Group(group) => {
                let inner: Tokens = group.stream().into_iter().collect();
                // An array has a length, a slice has none.
                let is_slice = group.delimiter() == Delimiter::Bracket
                    && !inner.iter().any(|token| is(Some(token), ';'));
                if is_slice || holds(&inner) {
                    return true;
                }
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// Adds the fields of a struct or of a variant that can hold bytes.
fn fields(of: &str, group: &Group, found: &mut BTreeSet<String>) {
    for (number, mut part) in parts(group).into_iter().enumerate() {
        if word(part.first()).as_deref() == Some("pub") {
            let with_place = is_parenthesis(part.get(1)) && part.len() > 2;
            part.drain(..if with_place { 2 } else { 1 });
        }
        let (name, kind) = match group.delimiter() {
            Delimiter::Brace => (word(part.first()).unwrap_or_default(), part.get(2..)),
            _ => (number.to_string(), Some(&part[..])),
        };
        if holds(kind.unwrap_or_default()) {
            found.insert(format!("{of}.{name}"));
        }
    }
}

/// Adds the fields of the item that begins at `at`, behind `struct` or `enum`.
fn item(kind: &str, tokens: &[TokenTree], found: &mut BTreeSet<String>) {
    let name = word(tokens.first()).unwrap_or_default();
    let mut depth = 0;
    let mut is_bounded = false;
    for (at, token) in tokens.iter().enumerate().skip(1) {
        depth += depth_change(tokens, at);
        is_bounded |= word(Some(token)).as_deref() == Some("where");
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ';' => return,
            TokenTree::Group(group) if depth == 0 && kind == "struct" => {
                let is_body = group.delimiter() == Delimiter::Brace || !is_bounded;
                if is_body {
                    return fields(&name, group, found);
                }
            }
            TokenTree::Group(group) if depth == 0 && group.delimiter() == Delimiter::Brace => {
                for variant in parts(group) {
                    if let Some(TokenTree::Group(group)) = variant.get(1) {
                        let variant = word(variant.first()).unwrap_or_default();
                        fields(&format!("{name}::{variant}"), group, found);
                    }
                }
                return;
            }
            _ => {}
        }
    }
}

/// Adds the fields of all structs and enums, and the statics.
fn scan(stream: TokenStream, found: &mut BTreeSet<String>) {
    let tokens: Tokens = stream.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            scan(group.stream(), found);
        }
        let rest = tokens.get(at + 1..).unwrap_or_default();
        match word(Some(token)).as_deref() {
            Some(kind @ ("struct" | "enum")) => item(kind, rest, found),
            Some("static") if at == 0 || !is(tokens.get(at - 1), '\'') => {
                let mut kind = rest.split(|token| is(Some(token), '='));
                if holds(kind.next().unwrap_or_default()) {
                    found.insert(word(rest.first()).unwrap_or_default());
                }
            }
            _ => {}
        }
    }
}

/// The fields of all sources that can hold bytes, by file.
fn found() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for name in ["antiphon-proto", "antiphon"] {
        for Source { file, text } in source::read(&root().join("crates").join(name).join("src")) {
            let file = format!("{name}/{file}");
            let mut found = BTreeSet::new();
            if !OWN.iter().any(|own| file.starts_with(own)) {
                scan(text.parse().expect("Rust"), &mut found);
            }
            if !found.is_empty() {
                all.insert(file, found);
            }
        }
    }
    all
}

/// The rows of the table: by file, the fields.
fn rows() -> BTreeMap<String, BTreeSet<String>> {
    let mut rows = BTreeMap::<String, BTreeSet<String>>::new();
    let mut file = String::new();
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            continue;
        }
        let Some(row) = line.strip_prefix("    ") else {
            file = line.to_owned();
            continue;
        };
        let (field, bound) = row.split_once(": ").unwrap_or((row, ""));
        assert!(!bound.is_empty(), "{file}: {field} has no bound");
        assert!(!bound.contains("NOT YET"), "{file}: {field} has no bound");
        let is_new = rows.entry(file.clone()).or_default().insert(field.into());
        assert!(is_new, "{file}: {field} has two rows");
    }
    rows
}

#[test]
fn whatever_can_hold_bytes_says_what_bounds_them() {
    let (found, rows) = (found(), rows());
    let flat = |all: &BTreeMap<String, BTreeSet<String>>| -> BTreeSet<String> {
        let names = |(file, names): (&String, &BTreeSet<String>)| {
            let names = names.iter().map(|name| format!("{file}: {name}"));
            names.collect::<Vec<_>>()
        };
        all.iter().flat_map(names).collect()
    };
    let (found, rows) = (flat(&found), flat(&rows));
    assert!(found.len() > 100, "only {} fields", found.len());
    let new: Vec<_> = found.difference(&rows).collect();
    assert!(
        new.is_empty(),
        "These fields can hold any number of bytes, and tests/architecture/held_bytes.txt has no row \
         for them. If they can be a peer's, reserve them in a budget (src/memory_budget) before they \
         grow, or bound them otherwise, and write into docs/limits.md what a peer can see of it. Then \
         add a row that says what bounds them: {new:#?}"
    );
    let gone: Vec<_> = rows.difference(&found).collect();
    assert!(
        gone.is_empty(),
        "These rows of tests/architecture/held_bytes.txt have no field any more: {gone:#?}"
    );
}

#[test]
fn what_can_hold_bytes_is_found() {
    let text = "
        struct A<T: Fn(&str) -> Vec<u8>> where T: Send { a: Option<Vec<u8>>, pub(crate) b: u8, c: T }
        #[derive(Debug)] pub struct B(pub Bytes, u8, &'static str, (u8, String), [u8; 4]);
        struct C; struct D<'a> { #[serde(borrow)] text: &'a mut Vec<u8>, slice: Box<[u8]> }
        enum E { None, Some(Arc<str>), Many { of: BTreeMap<u8, fn(u8) -> u8>, n: usize }, Last = 1 }
        fn f() { thread_local! { static G: RefCell<Vec<u8>> = x; } struct H { h: Request } }
    ";
    let mut found = BTreeSet::new();
    scan(text.parse().unwrap(), &mut found);
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    assert_eq!(
        found,
        [
            "A.a",
            "B.0",
            "B.3",
            "D.slice",
            "E::Many.of",
            "E::Some.0",
            "G",
            "H.h"
        ]
    );
}
