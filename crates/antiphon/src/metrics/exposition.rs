//! Parts of the text format of Prometheus.

use std::fmt::Write as _;

/// Appends the help and the type of a metric.
pub(super) fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Escapes a label value.
pub(super) fn label(name: &str) -> String {
    name.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
