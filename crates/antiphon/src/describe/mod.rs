//! Documents made from a router's [`Tree`](crate::Tree).
//!
//! | file | what it does |
//! |---|---|
//! | `rst.rs` | reStructuredText, for the method `documentation` |
//! | `openrpc.rs` | [`OpenRpc`]: what a document is asked for, and how it is put together |
//! | `model.rs` | the members of an OpenRPC document, in the order of the specification |
//! | `method.rs` | one method of a router as one of a document |
//! | `schemas.rs` | the schemas of a document, each named type once |
//! | `markdown.rs` | the same document for readers |
//! | `words.rs` | schemas in words, for that |
//! | `types.rs` | the schemas of single parameters and results |

#[cfg(feature = "describe")]
mod markdown;
#[cfg(feature = "describe")]
mod method;
#[cfg(feature = "describe")]
mod model;
#[cfg(feature = "describe")]
mod openrpc;
#[cfg(all(feature = "macros", feature = "server"))]
pub(crate) mod rst;
#[cfg(feature = "describe")]
mod schemas;
#[cfg(feature = "describe")]
mod types;
#[cfg(feature = "describe")]
mod words;

#[cfg(feature = "describe")]
pub use openrpc::{OpenRpc, Specification};
