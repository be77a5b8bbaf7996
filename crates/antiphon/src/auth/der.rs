//! Elements of DER, the encoding of keys and certificates.

pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// One element, and what follows it.
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) rest: &'a [u8],
}

/// The first element. `None` if there is none, or one that DER does not allow here: a tag of several
/// bytes, a length of more than two bytes after its first.
pub(super) fn first(input: &[u8]) -> Option<Element<'_>> {
    let (&[tag, length], rest) = input.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (tag & 0x1f != 0x1f).then_some(Element { tag, content, rest })
}

/// The content of the first element, if it has this tag, and what follows it.
pub(super) fn expect(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let found = first(input)?;
    (found.tag == tag).then_some((found.content, found.rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_cut_where_they_end() {
        let long = [&[SEQUENCE, 0x82, 1, 0][..], &[7; 256], &[1]].concat();
        let medium = [&[SEQUENCE, 0x81, 200][..], &[7; 200]].concat();
        for (input, expected) in [
            (&[][..], None),
            (&[SEQUENCE], None),
            (&[SEQUENCE, 1], None),
            (&[SEQUENCE, 0], Some((0, 0))),
            (&[SEQUENCE, 1, 9, 8], Some((1, 1))),
            (&[OBJECT_ID, 1, 9], None),
            (&[SEQUENCE, 0x80, 0, 0], None),
            (&[SEQUENCE, 0x83, 0, 0, 0], None),
            (&[SEQUENCE, 0x82, 0], None),
            (&[0x3f, 0], None),
            (&medium, Some((200, 0))),
            (&long, Some((256, 1))),
        ] {
            let found = expect(SEQUENCE, input).map(|(content, rest)| (content.len(), rest.len()));
            assert_eq!(found, expected, "{input:?}");
        }
    }
}
