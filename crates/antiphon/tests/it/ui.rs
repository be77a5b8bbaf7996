//! Tests of the macros' error messages: each marks the wrong token and suggests a correction.
//!
//! To accept changed messages: `TRYBUILD=overwrite cargo test -p antiphon --test it ui`.

#[test]
fn the_macros_say_what_is_wrong_and_how_to_mend_it() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
