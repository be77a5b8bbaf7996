//! Header, common part and error codes of a TypeScript file.

use super::code::Code;
use super::model::{Api, STANDARD_ERRORS};
use super::names::{Scope, pascal};
use super::text;
use super::typescript_types::comment;

/// Transports, batches, subscriptions and errors of every generated client.
const RUNTIME: &str = include_str!("runtime.ts");

/// The common part without the ways of passing parameters that nothing uses: the compiler complains
/// of those.
pub(super) fn runtime(classes: &str) -> String {
    let mut runtime = RUNTIME.to_owned();
    // `either` uses the others.
    for name in ["either", "byName", "byPosition"] {
        let begin = format!("\nfunction {name}(");
        let call = format!("{name}(");
        let (true, Some(at)) = (
            !classes.contains(&call) && runtime.matches(&call).count() == 1,
            runtime.find(&begin),
        ) else {
            continue;
        };
        // Its comment is the line before it.
        let start = runtime[..at].rfind("\n\n").map_or(at, |start| start + 1);
        let end = runtime[at..].find("\n}\n").map_or(at, |end| at + end + 3);
        runtime.replace_range(start..end, "");
    }
    runtime
}

/// What is said of a client with integers of 64 bits.
const ROUNDING: &str = "Integers of 64 bits are numbers, as JSON.parse gives them: they are exact up to \
                        Number.MAX_SAFE_INTEGER (2⁵³ − 1), and rounded beyond it. Where that may happen, the \
                        documentation of the value says so.";

/// Writes the documentation of the file.
pub(super) fn head(api: &Api, client: &str, rounds: bool, code: &mut Code) {
    let rounding = if rounds { ROUNDING } else { "" };
    let title = match &*text::one_line(&api.title) {
        "" => "a server".to_owned(),
        title => format!("{title} {}", text::one_line(&api.version)),
    };
    let about = format!("{client}: {}, over JSON-RPC 2.0.", title.trim_end());
    let origin = "Written by `antiphon codegen`: changes are lost when it runs again.";
    comment(
        &text::paragraphs(&[&about, &api.doc, rounding, origin]),
        code,
    );
    code.blank(1);
}

/// Writes the codes of errors.
pub(super) fn errors(api: &Api, code: &mut Code) {
    let mut scope = Scope::default();
    code.line("/** Codes of errors: those of JSON-RPC itself, and what the server declares. */");
    code.line("export const ErrorCode = {");
    code.deeper(|code| {
        for (number, name) in STANDARD_ERRORS {
            code.line(&format!("{}: {number},", scope.take_type(pascal(name))));
        }
        for error in &api.errors {
            comment(&error.doc, code);
            code.line(&format!(
                "{}: {},",
                scope.take_type(pascal(&error.name)),
                error.code
            ));
        }
    });
    code.line("} as const;");
    code.blank(1);
}
