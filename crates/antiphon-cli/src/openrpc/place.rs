//! Places in the files of a document.

use std::fmt;

/// A place in a file, as references name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) file: usize,
    /// A JSON pointer; empty for the whole file.
    pub(super) pointer: String,
}

/// A place that is being read. It is written as a pointer only when somebody asks for it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) file: usize,
    above: Option<&'a Self>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    /// A whole pointer, with which the reading began.
    Pointer(&'a str),
    Member(&'a str),
    Item(usize),
}

impl<'a> At<'a> {
    pub(super) fn new(place: &'a Place) -> Self {
        Self {
            file: place.file,
            above: None,
            step: Step::Pointer(&place.pointer),
        }
    }

    pub(super) fn member(&'a self, name: &'a str) -> Self {
        Self {
            file: self.file,
            above: Some(self),
            step: Step::Member(name),
        }
    }

    pub(super) fn item(&'a self, index: usize) -> Self {
        Self {
            file: self.file,
            above: Some(self),
            step: Step::Item(index),
        }
    }

    pub(super) fn place(&self) -> Place {
        Place {
            file: self.file,
            pointer: self.to_string(),
        }
    }
}

/// The JSON pointer.
impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The recursion is bounded by the parser's depth limit.
        if let Some(above) = self.above {
            fmt::Display::fmt(above, f)?;
        }
        match self.step {
            Step::Pointer(pointer) => f.write_str(pointer),
            Step::Member(name) => write!(f, "/{}", escaped(name)),
            Step::Item(index) => write!(f, "/{index}"),
        }
    }
}

/// A member name as a step of a pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The steps of a pointer as member names.
pub(super) fn steps(pointer: &str) -> impl Iterator<Item = String> {
    let steps = pointer.split('/').skip(1);
    steps.map(|step| step.replace("~1", "/").replace("~0", "~"))
}

/// Decodes `%20` and the like in a reference; what is no such escape stays.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = match (first, after) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        bytes.push(escape.map_or(*first, |(high, low)| high * 16 + low));
        rest = after
            .get(if escape.is_some() { 2 } else { 0 }..)
            .unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_pointers() {
        let place = Place {
            file: 0,
            pointer: "/a".to_owned(),
        };
        let at = At::new(&place);
        let (list, member) = (at.member("x/y~"), at.member(""));
        assert_eq!(list.item(3).to_string(), "/a/x~1y~0/3");
        assert_eq!(member.place().pointer, "/a/");
        assert_eq!(steps("/a/x~1y~0/3").collect::<Vec<_>>(), ["a", "x/y~", "3"]);
        assert_eq!(steps("").count(), 0);
    }

    #[test]
    fn escapes_of_references_are_decoded() {
        for (text, expected) in [
            ("a%20b", "a b"),
            ("%c3%A4", "ä"),
            ("5%", "5%"),
            ("%zz%2", "%zz%2"),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }
}
