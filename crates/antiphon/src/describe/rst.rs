//! Router documentation as reStructuredText.

use std::fmt::Write as _;

use antiphon_proto::{Printable, is_printable};

use crate::describe::{Reader, Tree};

/// The result of the method `documentation` for this reader.
pub(crate) fn document(tree: &Tree, reader: Reader) -> String {
    let methods = tree.methods(reader).into_iter();
    let forwarded = tree.forwarded(reader);
    let theirs = forwarded.iter().map(|method| (&*method.name, &*method.doc));
    text(
        methods
            .map(|method| (method.name(), method.doc()))
            .chain(theirs),
    )
}

/// Formats methods with their doc comments.
pub(super) fn text<'a>(methods: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, doc) in methods {
        if !text.is_empty() {
            text.push('\n');
        }
        let name = Printable(name).to_string();
        let doc = if doc.is_empty() { NO_DOCS } else { doc };
        let doc = inert(doc);
        let underline = "-".repeat(name.chars().count() + 2);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            ".. _functions-{name}:\n\n{name}\n{underline}\n\n{doc}\n\n"
        );
    }
    text
}

/// Escapes directives, targets and underlines of titles. A directive can include files, or pass HTML
/// through, and a description may be a stranger's.
fn inert(doc: &str) -> String {
    let lines = doc.lines().map(|line| {
        let mut out = String::with_capacity(line.len());
        let mut before = ' ';
        for (at, c) in line.char_indices() {
            // What may precede a directive: white space, list markers, borders of tables.
            let begins = !before.is_alphanumeric() && before != '.';
            let rest = &line[at..];
            let is_mark = [".. ", "__ "].iter().any(|mark| rest.starts_with(mark))
                || matches!(rest, ".." | "__");
            if begins && is_mark {
                out.push('\\');
            }
            out.push(match is_printable(c) || c == '\t' {
                true => c,
                false => char::REPLACEMENT_CHARACTER,
            });
            before = c;
        }
        let bare = line.trim();
        let is_escaped = matches!(bare, ".." | "__");
        let mark = bare.chars().next().filter(char::is_ascii_punctuation);
        match mark {
            Some(mark)
                if !is_escaped
                    && bare.len() > 1
                    && bare.chars().all(|c| c == mark)
                    && mark != '`' =>
            {
                out.insert(line.len() - line.trim_start().len(), '\\');
                out
            }
            _ => out,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Placeholder for a missing doc comment.
pub(crate) const NO_DOCS: &str = "No docs";

#[cfg(test)]
mod tests {
    #[test]
    fn no_description_has_directives_or_titles() {
        for (doc, inert) in [
            ("Adds.\n\n  Two.. lines", "Adds.\n\n  Two.. lines"),
            (".. include:: /etc/passwd", "\\.. include:: /etc/passwd"),
            (
                "- .. raw:: html\n\n     <b>",
                "- \\.. raw:: html\n\n     <b>",
            ),
            ("|.. image:: x", "|\\.. image:: x"),
            ("..", "\\.."),
            ("__ http://x", "\\__ http://x"),
            ("Forged\n======", "Forged\n\\======"),
            ("```\nx\n```", "```\nx\n```"),
            ("wait ... a\u{202e}b", "wait ... a\u{fffd}b"),
        ] {
            assert_eq!(super::inert(doc), inert);
        }
    }

    #[test]
    fn sections_have_labels_and_underlines() {
        let methods = [
            ("ping", "Ping the server."),
            ("calc.add", "Adds.\nTwo lines."),
            ("calc.bare", ""),
        ];
        assert_eq!(
            super::text(methods.into_iter()),
            ".. _functions-ping:\n\nping\n------\n\nPing the server.\n\n\n\
             .. _functions-calc.add:\n\ncalc.add\n----------\n\nAdds.\nTwo lines.\n\n\n\
             .. _functions-calc.bare:\n\ncalc.bare\n-----------\n\nNo docs\n\n"
        );
    }
}
