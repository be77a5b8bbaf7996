//! OpenRPC documents and their forms for readers.
//!
//! | file | what it does |
//! |---|---|
//! | `openrpc.rs` | [`OpenRpc`]: what a document is asked for, and how it is put together |
//! | `specification.rs` | [`Specification`]: its versions |
//! | `model.rs` | the members of an OpenRPC document, in the order of the specification |
//! | `method.rs` | one method of a router as one of a document |
//! | `schemas.rs` | the schemas of a document, each named type once |
//! | `types.rs` | the schemas of single parameters and results |
//! | `cache.rs` | the documents of one router, each made once |
//! | `document.rs` | [`OpenRpcDocument`]: the forms a document can have, and one from elsewhere |
//! | `references.rs` | what methods share, in documents from elsewhere |
//! | `markdown.rs` | a document for readers |
//! | `schema_text.rs` | schemas as prose, for that |
//! | `html.rs`, `html.css` | the same as one file for a browser |

mod cache;
mod document;
mod html;
mod markdown;
mod method;
mod model;
mod openrpc;
mod references;
mod schema_text;
mod schemas;
mod specification;
mod types;

pub use document::OpenRpcDocument;
pub use openrpc::OpenRpc;
pub use specification::Specification;
