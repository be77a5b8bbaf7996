//! OpenRPC documents and their output formats.
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs` | [`OpenRpc`]: builder of a document |
//! | `specification.rs` | [`Specification`]: versions of OpenRPC |
//! | `model.rs` | the members of an OpenRPC document, in the order of the specification |
//! | `method.rs` | converts a method of a router to a method of a document |
//! | `schemas.rs` | the schemas of a document, in which each named type is defined once |
//! | `method_schemas.rs` | the schemas of single parameters and results |
//! | `cache.rs` | caches the documents of a router |
//! | `document.rs` | [`OpenRpcDocument`]: parsing and output formats |
//! | `tools.rs`, `tool_schemas.rs` | methods as tools for agents |
//! | `forwarded.rs` | methods of other servers |
//! | `references.rs` | resolves references in parsed documents |
//! | `markdown.rs` | Markdown output |
//! | `markdown_text.rs`, `markdown_escape.rs` | texts of a document as Markdown that forges nothing |
//! | `schema_text.rs` | schemas as text, for Markdown |
//! | `html.rs`, `html.css` | HTML output |

mod builder;
mod cache;
mod document;
mod forwarded;
mod html;
mod markdown;
mod markdown_escape;
mod markdown_text;
mod method;
mod method_schemas;
mod model;
mod references;
mod schema_text;
mod schemas;
mod specification;
mod tool_schemas;
mod tools;

pub use builder::OpenRpc;
pub use document::OpenRpcDocument;
pub use specification::Specification;
#[cfg(feature = "mcp")]
pub(crate) use tools::{FOR_AGENTS, Tool, Tools};
