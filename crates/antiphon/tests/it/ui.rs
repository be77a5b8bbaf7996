//! Tests of the macros' error messages: each marks the wrong token and suggests a correction.
//!
//! To accept changed messages: `TRYBUILD=overwrite cargo test -p antiphon --test it ui`.

#[test]
fn error_messages_of_the_macros_are_as_expected() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
