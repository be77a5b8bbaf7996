#![doc = include_str!("../README.md")]
//!
//! # Layout
//!
//! | module | what lives there |
//! |---|---|
//! | [`mod@parse`] | bytes → [`Incoming`]: one pass over the text, nothing copied |
//! | [`message`] | what one message is, and how requests and answers are written |
//! | [`error`] | [`ErrorCode`] and [`ErrorObject`] |
//! | [`id`], [`params`], [`raw`] | the parts of a message, as JSON text |
//! | [`framing`] | messages in a byte stream: newlines or `Content-Length` |
//! | [`pending`] | the calls that await an answer |
//!
//! This crate does no I/O: no async, no socket, no clock, no log.

pub mod error;
pub mod framing;
pub mod id;
pub mod message;
pub mod params;
pub mod parse;
pub mod pending;
pub mod raw;
mod scan;

pub use error::{ErrorCode, ErrorObject};
pub use framing::Framing;
pub use id::Id;
pub use message::{Entry, Incoming, Request, Response};
pub use params::{IntoParams, Params};
pub use parse::{Rejection, Rules, parse};
pub use raw::RawJson;
