//! Integration tests of the protocol crate.

mod grammar;
mod json_cases;
mod json_text;
mod values;
