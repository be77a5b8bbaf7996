//! OpenRPC documents, of a router or parsed, and their output formats.

use std::str::FromStr;

use serde_json::Value;

use crate::describe::documents::model::{Document, Tag};
use crate::describe::documents::specification::Specification;
use crate::describe::documents::{html, markdown, references};
use crate::describe::rst;

/// An OpenRPC document: generated from a router by [`OpenRpc::document`](crate::OpenRpc::document),
/// or parsed from any JSON text.
///
/// ```
/// use antiphon::OpenRpcDocument;
///
/// let text = r#"{
///     "openrpc": "1.3.2",
///     "info": {"title": "Sums", "version": "1.0.0"},
///     "methods": [{
///         "name": "add",
///         "summary": "Adds two numbers.",
///         "params": [{"name": "a", "schema": {"type": "number"}}, {"name": "b", "schema": {"type": "number"}}],
///         "result": {"name": "sum", "schema": {"type": "number"}}
///     }]
/// }"#;
/// let document: OpenRpcDocument = text.parse()?;
/// assert!(document.to_markdown().contains("### `add(a, b)`"));
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
///
/// Parsing fails if the text is not JSON, or not OpenRPC: for instance if a method has no name.
/// Other missing members count as empty, and unknown members are kept.
#[derive(Clone, Debug)]
pub struct OpenRpcDocument(pub(super) Document);

impl FromStr for OpenRpcDocument {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut document = serde_json::from_str(text)?;
        references::follow(&mut document);
        serde_json::from_value(document).map(Self)
    }
}

impl OpenRpcDocument {
    /// Sets the version of the specification that the document names. Documents of this crate are
    /// valid in all versions.
    #[must_use]
    pub fn specification(mut self, specification: Specification) -> Self {
        self.0.openrpc = specification.number().to_owned();
        self
    }

    /// The document as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // The document has only strings, numbers and JSON values, so this cannot fail.
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    /// The document as formatted JSON text, with members in the order of the specification.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Cannot fail either.
        let mut text = serde_json::to_string_pretty(&self.0).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The document as Markdown for readers: namespaces, methods, types.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        markdown::text(&self.0)
    }

    /// The methods as reStructuredText, each with a label `functions-<name>`: the result of the
    /// method `documentation`.
    #[must_use]
    pub fn to_rst(&self) -> String {
        let methods = self.0.methods.iter();
        rst::text(methods.map(|method| (method.name.as_str(), method.doc())))
    }

    /// The document as a single HTML file that works without a server. It loads no resources and
    /// has no scripts; HTML in doc comments is shown as text.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::text(&self.0)
    }
}

impl Document {
    /// The documentation of a namespace.
    pub(super) fn about<'a>(&'a self, tag: &'a Tag) -> &'a str {
        self.namespaces.get(&tag.name).unwrap_or(&tag.description)
    }
}

impl crate::describe::documents::model::Method {
    /// The complete doc comment.
    pub(super) fn doc(&self) -> &str {
        match self.description.is_empty() {
            true => &self.summary,
            false => &self.description,
        }
    }
}
