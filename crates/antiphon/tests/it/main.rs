//! The tests of the library, one binary: a file for each subject.

mod spec;
