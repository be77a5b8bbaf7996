//! Parser of messages: a single pass that classifies every entry.
//!
//! The checks are in the order of this file: is the text JSON, is it one object or a batch of a
//! valid length, and is each object a request, a response or neither (`members.rs`). A syntax error
//! anywhere in the text takes precedence, so that no part of a malformed message ever runs.

use bytes::Bytes;

use crate::members::{Members, invalid, members};
use crate::message::{Entry, Incoming};
pub use crate::rules::{Rejection, Rules};
use crate::scan::{Fault, Scanner, may_exceed};

/// A short entry of a batch, in bytes.
const TYPICAL_ENTRY: usize = 56;

/// Parses one message.
///
/// # Errors
///
/// [`Rejection`] if no part of the message can run. An entry that is not a request is no error of
/// the whole message: it is returned as [`Entry::Invalid`].
///
/// ```
/// use antiphon_proto::{Entry, Incoming, Rules, parse};
///
/// let Ok(Incoming::Batch(entries)) = parse(br#"[1, {"jsonrpc":"2.0","method":"tick"}]"#[..].into(), &Rules::default())
/// else { panic!() };
/// assert!(matches!(entries[0], Entry::Invalid(_)));
/// assert!(matches!(&entries[1], Entry::Request(tick) if tick.is_notification()));
/// ```
pub fn parse(message: Bytes, rules: &Rules) -> Result<Incoming, Rejection> {
    if u32::try_from(message.len()).is_err() {
        return Err(Rejection::Syntax { at: 0 });
    }
    let shape = match may_exceed(message.len(), rules.max_values) {
        false => shape::<false>(&message, rules),
        true => shape::<true>(&message, rules),
    };
    match shape? {
        Shape::Object(members) => Ok(Incoming::Single(members.classify(message, rules))),
        Shape::Array { too_long: true, .. } => Err(Rejection::BatchTooLong),
        Shape::Array { entries, .. } if entries.is_empty() => Err(Rejection::EmptyBatch),
        Shape::Array { entries, .. } => Ok(Incoming::Batch(entries)),
        Shape::Scalar => Err(Rejection::NotAnObject),
    }
}

enum Shape {
    /// It contains only offsets, so the message can be moved afterwards.
    Object(Members),
    Array {
        entries: Vec<Entry>,
        too_long: bool,
    },
    Scalar,
}

/// Scans the whole text.
fn shape<const COUNTS: bool>(message: &Bytes, rules: &Rules) -> Result<Shape, Rejection> {
    let mut scanner = Scanner::<COUNTS>::new(message, rules.max_values);
    scanner.space();
    let shape = match scanner.peek() {
        Some(b'{') => members(&mut scanner).map(Shape::Object),
        Some(b'[') => entries(&mut scanner, message, rules),
        _ => scanner.value().map(|_| Shape::Scalar),
    };
    scanner.space();
    let at = scanner.at();
    let shape = match shape {
        Ok(shape) if scanner.peek().is_none() => shape,
        Err(Fault) if scanner.is_exceeded() => return Err(Rejection::TooManyValues),
        _ => return Err(Rejection::Syntax { at }),
    };
    if !scanner.is_ascii()
        && let Err(invalid) = std::str::from_utf8(message)
    {
        let at = invalid.valid_up_to();
        return Err(Rejection::Syntax { at });
    }
    Ok(shape)
}

/// The entries of a batch. Beyond the limit only the syntax is checked, and nothing is stored.
fn entries<const COUNTS: bool>(
    scanner: &mut Scanner<'_, COUNTS>,
    message: &Bytes,
    rules: &Rules,
) -> Result<Shape, Fault> {
    let expected = message.len() / TYPICAL_ENTRY;
    let mut entries = Vec::with_capacity(expected.min(rules.max_batch));
    let mut too_long = false;
    scanner.open(b'[')?;
    scanner.space();
    if scanner.close(b']') {
        return Ok(Shape::Array { entries, too_long });
    }
    loop {
        if entries.len() >= rules.max_batch {
            too_long = true;
            scanner.value()?;
        } else if scanner.peek() == Some(b'{') {
            let members = members(scanner)?;
            entries.push(members.classify(message.clone(), rules));
        } else {
            scanner.value()?;
            entries.push(invalid(None, "not an object"));
        }
        scanner.space();
        if scanner.close(b']') {
            return Ok(Shape::Array { entries, too_long });
        }
        scanner.expect(b',')?;
        scanner.space();
    }
}
