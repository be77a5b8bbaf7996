//! Documents made from a router's [`Tree`](crate::Tree).
//!
//! | file | what it does |
//! |---|---|
//! | `openrpc.rs` | [`OpenRpc`]: what a document is asked for, and how it is put together |
//! | `model.rs` | the members of an OpenRPC document, in the order of the specification |
//! | `method.rs` | one method of a router as one of a document |
//! | `schemas.rs` | the schemas of a document, each named type once |
//! | `types.rs` | the schemas of single parameters and results |
//! | `made.rs` | the documents of one router, each made once |
//! | `document.rs` | [`OpenRpcDocument`]: the forms a document can have, and one from elsewhere |
//! | `references.rs` | what methods share, in documents from elsewhere |
//! | `markdown.rs` | a document for readers |
//! | `words.rs` | schemas in words, for that |
//! | `html.rs`, `html.css` | the same as one file for a browser |
//! | `page/` | the page for browsers |
//! | `rst.rs` | reStructuredText, also for the method `documentation` |

#[cfg(feature = "describe")]
mod document;
#[cfg(feature = "describe")]
mod html;
#[cfg(feature = "describe")]
mod made;
#[cfg(feature = "describe")]
mod markdown;
#[cfg(feature = "describe")]
mod method;
#[cfg(feature = "describe")]
mod model;
#[cfg(feature = "describe")]
mod openrpc;
#[cfg(all(feature = "describe", feature = "server"))]
pub(crate) mod page;
#[cfg(feature = "describe")]
mod references;
pub(crate) mod rst;
#[cfg(feature = "describe")]
mod schemas;
#[cfg(feature = "describe")]
mod types;
#[cfg(feature = "describe")]
mod words;

#[cfg(feature = "describe")]
pub use document::OpenRpcDocument;
#[cfg(feature = "describe")]
pub use openrpc::{OpenRpc, Specification};
