//! Router documentation as reStructuredText.

use std::fmt::Write as _;

use crate::describe::{Access, Tree};

/// The result of the method `documentation` for a reader with this access.
pub(crate) fn document(tree: &Tree, reader: Access) -> String {
    let methods = tree.methods(reader).into_iter();
    text(methods.map(|method| (method.name(), method.doc())))
}

/// Formats methods with their doc comments.
pub(super) fn text<'a>(methods: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, doc) in methods {
        if !text.is_empty() {
            text.push('\n');
        }
        let doc = if doc.is_empty() { NO_DOCS } else { doc };
        let underline = "-".repeat(name.chars().count() + 2);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            ".. _functions-{name}:\n\n{name}\n{underline}\n\n{doc}\n\n"
        );
    }
    text
}

/// Placeholder for a missing doc comment.
pub(crate) const NO_DOCS: &str = "No docs";

#[cfg(test)]
mod tests {
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
