#![doc = include_str!("../README.md")]
//!
//! # Layout
//!
//! | module | contents |
//! |---|---|
//! | [`mod@parse`], `members`, `scan` | bytes → [`Incoming`], in one pass without copying: message, object, grammar of JSON |
//! | `rules` | [`Rules`] for valid messages, and reasons for a [`Rejection`] |
//! | [`message`] | types of messages, and writers of requests and responses |
//! | [`error`], `error_data` | [`ErrorCode`] and [`ErrorObject`]; what their data tells |
//! | [`id`], [`params`], [`raw`] | parts of a message as JSON text |
//! | `json_text`, `json_string` | [`write_json`]: Rust values → JSON text; the long strings in it |
//! | [`framing`] | messages in a byte stream: newlines or `Content-Length` |
//! | [`pending`] | calls that await a response |
//! | [`printable`] | text of a peer for a log or a terminal |
//!
//! This crate does no I/O: no async code, sockets, clocks or logs.

pub mod error;
mod error_data;
pub mod framing;
pub mod id;
mod json_string;
mod json_text;
mod members;
pub mod message;
pub mod params;
pub mod parse;
pub mod pending;
pub mod printable;
pub mod raw;
mod rules;
mod scan;

pub use error::{ErrorCode, ErrorObject};
pub use framing::Framing;
pub use id::Id;
pub use json_text::{json_vec, write_json};
pub use message::{Entry, Incoming, Request, Response};
pub use params::{IntoParams, Params};
pub use parse::parse;
pub use printable::{Printable, is_printable};
pub use raw::RawJson;
pub use rules::{Rejection, Rules};
