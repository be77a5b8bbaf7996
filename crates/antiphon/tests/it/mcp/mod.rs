//! The Model Context Protocol, message by message.

mod before;
mod subject;
mod tools;
mod version;
