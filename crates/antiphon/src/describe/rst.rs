//! reStructuredText: one labelled section for each method.

use std::fmt::Write as _;

#[cfg(all(feature = "macros", feature = "server"))]
use crate::tree::{Access, Tree};

/// The text that the method `documentation` answers with, for a reader with this access.
#[cfg(all(feature = "macros", feature = "server"))]
pub(crate) fn document(tree: &Tree, reader: Access) -> String {
    let methods = tree.methods(reader).into_iter();
    text(methods.map(|method| (method.name(), method.doc())))
}

/// Methods, each with its doc comment.
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

/// What stands where a method has no doc comment.
pub(crate) const NO_DOCS: &str = "No docs";

#[cfg(all(test, feature = "macros", feature = "server"))]
mod tests {
    use super::*;
    use crate::{Method, Router};

    #[test]
    fn sections_have_labels_and_underlines() {
        let calc = Router::default()
            .method(Method::function("add", || 1).doc("Adds.\nTwo lines."))
            .method_fn("bare", || 1);
        let dispatcher = Router::default()
            .method(Method::function("ping", || 1).doc("Ping the server."))
            .nest("calc", calc)
            .build()
            .unwrap();
        assert_eq!(
            document(dispatcher.tree(), Access::Admin),
            ".. _functions-ping:\n\nping\n------\n\nPing the server.\n\n\n\
             .. _functions-calc.add:\n\ncalc.add\n----------\n\nAdds.\nTwo lines.\n\n\n\
             .. _functions-calc.bare:\n\ncalc.bare\n-----------\n\nNo docs\n\n"
        );
    }
}
