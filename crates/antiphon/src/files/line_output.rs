//! Output of whole lines to a file or a pipe that may fail, or not take them now.

use std::borrow::Cow;
use std::io::{self, Write};
use std::thread;
use std::time::Duration;

/// The most bytes of one write, unless a line is longer. Several processes may share a pipe, which
/// keeps writes up to this size whole.
const WRITE: usize = 4096;

/// The pause before another attempt, if the output does not wait for its reader.
const RETRY: Duration = Duration::from_millis(10);

/// What lines are written to.
pub(crate) struct LineOutput<W> {
    inner: W,
    /// Whether a line was begun and not ended.
    is_torn: bool,
}

/// Lines that could not be written.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    pub(crate) count: u64,
    /// Why, of the last one.
    pub(crate) error: Option<io::Error>,
}

impl<W: Write> LineOutput<W> {
    /// Writes to this. `is_torn` says whether it ends within a line.
    pub(crate) fn new(inner: W, is_torn: bool) -> Self {
        Self { inner, is_torn }
    }

    /// Writes whole lines, and tries again while the output is full and `waits` says so. Returns the
    /// lines that could not be written.
    pub(crate) fn write(&mut self, lines: &[u8], waits: impl Fn() -> bool) -> Lost {
        let mut lost = Lost::default();
        for whole in pieces(lines) {
            let piece = match self.is_torn {
                true => Cow::Owned([b"\n", whole].concat()),
                false => Cow::Borrowed(whole),
            };
            if let Err((error, rest)) = self.write_piece(&piece, &waits) {
                // The end of the line before may still be missing; that is none of these.
                let rest = rest.strip_prefix(b"\n").unwrap_or(rest);
                lost.count += rest.iter().filter(|&&byte| byte == b'\n').count() as u64;
                lost.error = Some(error);
            }
        }
        lost
    }

    /// Writes a piece. On an error the rest of it is lost.
    fn write_piece<'a>(
        &mut self,
        piece: &'a [u8],
        waits: impl Fn() -> bool,
    ) -> Result<(), (io::Error, &'a [u8])> {
        let mut rest = piece;
        while !rest.is_empty() {
            match self.inner.write(rest) {
                Ok(0) => return Err((io::ErrorKind::WriteZero.into(), rest)),
                Ok(written) => {
                    let (done, more) = rest.split_at(written.min(rest.len()));
                    self.is_torn = !done.ends_with(b"\n");
                    rest = more;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && waits() => {
                    thread::sleep(RETRY);
                }
                Err(error) => return Err((error, rest)),
            }
        }
        Ok(())
    }
}

/// Cuts a text into pieces of whole lines, each at most as long as one write, or a single line.
fn pieces(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let ends = |text: &[u8]| text.iter().rposition(|&byte| byte == b'\n');
        let first = text.get(..WRITE).and_then(ends);
        let end = match text.len() <= WRITE {
            true => None,
            false => first.or_else(|| text.iter().position(|&byte| byte == b'\n')),
        };
        let (piece, rest) = text.split_at(end.map_or(text.len(), |end| end + 1));
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most this many bytes at a time, and fails when it has taken some.
    struct Sink {
        taken: Vec<u8>,
        at_once: usize,
        fails_at: usize,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.taken.len() >= self.fails_at {
                self.fails_at = usize::MAX;
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = &bytes[..bytes.len().min(self.at_once)];
            self.taken.extend_from_slice(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output(at_once: usize, fails_at: usize) -> LineOutput<Sink> {
        let sink = Sink {
            taken: Vec::new(),
            at_once,
            fails_at,
        };
        LineOutput::new(sink, false)
    }

    #[test]
    fn a_write_has_whole_lines_and_never_parts_of_them() {
        let long = format!("{}\n", "y".repeat(3 * WRITE));
        for (text, lengths) in [
            (String::new(), vec![]),
            ("a\nb\n".to_owned(), vec![4]),
            (
                "x".repeat(4000) + "\n" + &"z".repeat(200) + "\n",
                vec![4001, 201],
            ),
            (long.clone() + "a\n", vec![long.len(), 2]),
            ("a\n".to_owned() + &long, vec![2, long.len()]),
        ] {
            let pieces: Vec<_> = pieces(text.as_bytes()).collect();
            assert_eq!(pieces.iter().map(|p| p.len()).collect::<Vec<_>>(), lengths);
            assert_eq!(pieces.concat(), text.as_bytes());
        }
    }

    #[test]
    fn a_line_that_was_torn_by_an_error_is_ended_before_the_next_one() {
        let mut output = output(2, 4);
        let lost = output.write(b"abcdef\n", || true);
        assert_eq!(lost.count, 1);
        assert_eq!(lost.error.unwrap().kind(), io::ErrorKind::StorageFull);
        assert_eq!(output.write(b"gh\n", || true).count, 0);
        let text = String::from_utf8(output.inner.taken).unwrap();
        assert_eq!(text, "abcd\ngh\n");
    }

    #[test]
    fn a_full_pipe_is_tried_again_as_long_as_somebody_waits() {
        struct Full;

        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::WouldBlock.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let attempts = std::cell::Cell::new(0);
        let waits = || attempts.replace(attempts.get() + 1) < 3;
        assert_eq!(LineOutput::new(Full, false).write(b"a\n", waits).count, 1);
        assert_eq!(attempts.get(), 4);
    }
}
