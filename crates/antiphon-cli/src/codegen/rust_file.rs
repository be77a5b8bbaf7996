//! Header, imports and error codes of a Rust file.

use std::collections::HashSet;

use super::code::Code;
use super::model::Api;
use super::names::{Scope, screaming};
use super::rust_text::{comment, header};
use super::text;

/// The documentation of the file and the imports that it uses.
pub(crate) fn head(api: &Api, client: &str, body: &str) -> String {
    let words = words(body);
    let needs = match words.contains("Value") {
        true => "`serde` with the feature `derive`, and `serde_json`",
        false => "and `serde` with the feature `derive`",
    };
    let mut code = Code::new(4, 100);
    let about = format!("{client}: {}, over JSON-RPC 2.0.", called(api));
    let needs = format!("It needs the crates `antiphon` with the feature `client`, {needs}.");
    let origin = "Written by `antiphon codegen`: changes are lost when it runs again.";
    header(
        &text::paragraphs(&[&about, &api.doc, &needs, origin]),
        &mut code,
    );
    code.raw("\n// Nobody calls all of the methods, and names are those of the document.\n");
    code.raw("#![allow(dead_code, missing_docs, unreachable_pub, unused_imports)]\n");
    code.raw("#![allow(clippy::all, clippy::nursery, clippy::pedantic, rustdoc::all)]\n\n");
    if words.contains("BTreeMap") {
        code.line("use std::collections::BTreeMap;");
    }
    code.raw(
        "use std::future::IntoFuture;\nuse std::marker::PhantomData;\nuse std::mem::take;\n\n",
    );
    // In the import order of rustfmt for edition 2024.
    match words.contains("PendingSubscription") {
        true => code.lines([
            "use antiphon::client::{",
            "    Batch, CallFuture, Client, Error, PendingCall, PendingSubscription, Ticket,",
            "};",
        ]),
        false => code
            .line("use antiphon::client::{Batch, CallFuture, Client, Error, PendingCall, Ticket};"),
    }
    code.line("use antiphon::{IntoParams, Params};");
    match words.contains("Deserialize") {
        true => code.lines([
            "use serde::de::DeserializeOwned;",
            "use serde::{Deserialize, Serialize};",
        ]),
        false => code.lines(["use serde::Serialize;", "use serde::de::DeserializeOwned;"]),
    }
    if words.contains("Value") {
        code.line("use serde_json::Value;");
    }
    format!("{}\n", code.finish())
}

/// All identifiers and keywords in the code, except in comments and string literals.
fn words(code: &str) -> HashSet<String> {
    let mut words = HashSet::new();
    for line in code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
    {
        let (mut text, mut escaped) = (false, false);
        let mut word = String::new();
        for c in line.chars().chain(['\n']) {
            if !text && (c.is_alphanumeric() || c == '_') {
                word.push(c);
                continue;
            }
            words.insert(std::mem::take(&mut word));
            text ^= c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
        }
    }
    words
}

/// Writes the module of error codes.
pub(crate) fn errors(api: &Api, code: &mut Code) {
    if api.errors.is_empty() {
        return;
    }
    code.line("/// Codes of errors that the server declares.");
    code.line("pub mod error_code {");
    let mut scope = Scope::default();
    code.deeper(|code| {
        code.line("use antiphon::ErrorCode;");
        for error in &api.errors {
            code.blank(1);
            comment(&error.doc, code);
            let name = scope.take(screaming(&error.name));
            let (left, right) = (
                format!("pub const {name}: ErrorCode ="),
                format!("ErrorCode({});", error.code),
            );
            match code.fits(&format!("{left} {right}")) {
                true => code.line(&format!("{left} {right}")),
                false => {
                    code.line(&left);
                    code.deeper(|code| code.line(&right));
                }
            }
        }
    });
    code.line("}");
    code.blank(1);
}

/// Title and version of the server.
fn called(api: &Api) -> String {
    let title = match &*text::one_line(&api.title) {
        "" => "a server".to_owned(),
        title => title.to_owned(),
    };
    let called = format!("{title} {}", text::one_line(&api.version));
    called.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_code() {
        let code = "/// Value\n  // BTreeMap\nlet x: Vec<u8> = f(\"A \\\" B \\\\\", C);";
        let mut words: Vec<_> = words(code).into_iter().collect();
        words.sort();
        assert_eq!(words, ["", "C", "Vec", "f", "let", "u8", "x"]);
    }
}
