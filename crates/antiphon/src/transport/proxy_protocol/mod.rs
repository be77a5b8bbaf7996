//! PROXY protocol, versions 1 and 2: the header with which a proxy says whose connection it passes on.
//!
//! | file | what it does |
//! |---|---|
//! | `header.rs` | [`read_header`]: reads one header, and not a byte more |
//! | `v1.rs` | version 1: a line of text |
//! | `v2.rs` | version 2: binary |
//! | `error.rs` | why there is no good header |
//!
//! The parser is our own. What is hard is to read no byte of what follows, and parsers of whole
//! buffers leave that to their users; the rest is short.

mod error;
mod header;
mod v1;
mod v2;

pub(crate) use header::read_header;
