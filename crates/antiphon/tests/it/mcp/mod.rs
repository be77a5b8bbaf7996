//! The Model Context Protocol, message by message.

mod before;
mod http;
mod rights;
mod session;
mod subject;
mod tools;
mod version;
