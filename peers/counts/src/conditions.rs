//! Conditions of a count: compiler, C library and processor.
//!
//! The compiler decides what is inlined. The C library has the allocator, and a `memcpy` for each
//! kind of processor; valgrind offers AVX2 only where the processor has it. The version of valgrind
//! changes nothing: it counts the instructions that the program executes.

use std::fmt;
use std::process::{Command, Stdio};

use crate::Failure;

/// A line of text, which is compared as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conditions(String);

impl Conditions {
    pub(crate) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The architecture, in which conditions end. Counts of two architectures cannot be compared.
    pub(crate) fn architecture(&self) -> &str {
        let end = self.0.rsplit(", ").next().unwrap_or_default();
        end.split(' ').next().unwrap_or_default()
    }

    /// The conditions of this machine.
    pub(crate) fn detect() -> Result<Self, Failure> {
        // `cargo run` of rustup has set the toolchain for this, too.
        let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
        let compiler = first_line(&compiler, "--version").ok_or("`rustc --version` fails")?;
        let library = first_line("getconf", "GNU_LIBC_VERSION");
        let library = library.as_deref().unwrap_or("an unknown C library");
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let architecture = std::env::consts::ARCH;
        Ok(Self(format!(
            "{compiler}, {library}, {architecture}{}",
            vectors(&processors)
        )))
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The best vector instructions that valgrind emulates.
fn vectors(processors: &str) -> &'static str {
    let flags = processors.lines().find(|line| line.starts_with("flags"));
    let has = |name| flags.is_some_and(|line| line.split_whitespace().any(|flag| flag == name));
    match (has("avx2"), has("avx")) {
        (true, _) => " with AVX2",
        (false, true) => " with AVX",
        (false, false) => "",
    }
}

fn first_line(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_vector_instructions() {
        for (text, found) in [
            ("processor: 0\nflags\t\t: fpu avx avx2 fma\n", " with AVX2"),
            ("flags : avx sse", " with AVX"),
            ("flags : avx512f sse", ""),
            ("Features : asimd", ""),
            ("", ""),
        ] {
            assert_eq!(vectors(text), found, "{text:?}");
        }
    }

    #[test]
    fn tells_of_this_machine() {
        let conditions = Conditions::detect().unwrap().to_string();
        assert!(conditions.starts_with("rustc "), "{conditions}");
        assert!(conditions.lines().count() == 1, "{conditions}");
    }

    #[test]
    fn ends_in_the_architecture() {
        for (text, expected) in [
            (
                "rustc 1.95.0 (5 2026), glibc 2.36, x86_64 with AVX2",
                "x86_64",
            ),
            ("rustc 1.95.0, glibc 2.41, aarch64", "aarch64"),
            ("", ""),
        ] {
            assert_eq!(Conditions::of(text).architecture(), expected);
        }
        let here = Conditions::detect().unwrap();
        assert_eq!(here.architecture(), std::env::consts::ARCH);
    }
}
