//! OpenRPC document, of a router or from elsewhere, and its forms.

use std::str::FromStr;

use serde_json::Value;

use crate::describe::documents::model::{Document, Tag};
use crate::describe::documents::specification::Specification;
use crate::describe::documents::{html, markdown, references};
use crate::describe::rst;

/// An OpenRPC document: of a router of this program, by [`OpenRpc::document`](crate::OpenRpc::document),
/// or read from a JSON text, which may be anybody's.
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
/// Parsing fails if a text is no JSON, or no OpenRPC: without a name of each method, for instance.
/// What is missing beyond that is taken as empty, and members that are not known are kept.
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
    /// The same, said to be of another version of the specification. What we write is valid in all.
    #[must_use]
    pub fn specification(mut self, specification: Specification) -> Self {
        self.0.openrpc = specification.number().to_owned();
        self
    }

    /// The document as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // All of it are texts, numbers and values that are JSON already: this cannot fail.
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    /// The document as a JSON text of many lines, with members in the order of the specification.
    #[must_use]
    pub fn to_json(&self) -> String {
        // As above.
        let mut text = serde_json::to_string_pretty(&self.0).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The document as Markdown, for people: namespaces, methods, types.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        markdown::text(&self.0)
    }

    /// The methods as reStructuredText, each with a label `functions-<name>`: what the method
    /// `documentation` answers with.
    #[must_use]
    pub fn to_rst(&self) -> String {
        let methods = self.0.methods.iter();
        rst::text(methods.map(|method| (method.name.as_str(), method.doc())))
    }

    /// The document as one HTML file, to be read in a browser without a server. It loads nothing and
    /// runs nothing; HTML in doc comments is shown as it was written.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::text(&self.0)
    }
}

impl Document {
    /// All there is to say of a namespace.
    pub(super) fn about<'a>(&'a self, tag: &'a Tag) -> &'a str {
        self.namespaces.get(&tag.name).unwrap_or(&tag.description)
    }
}

impl crate::describe::documents::model::Method {
    /// The whole doc comment.
    pub(super) fn doc(&self) -> &str {
        match self.description.is_empty() {
            true => &self.summary,
            false => &self.description,
        }
    }
}
