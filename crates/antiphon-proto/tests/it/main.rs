//! The tests of the protocol: tables of text and verdict.

mod grammar;
mod json_cases;
