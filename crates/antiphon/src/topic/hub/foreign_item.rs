//! Texts of items that come from elsewhere: whoever may publish on the subject may send anything.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::super::item::Text;

/// The text of an item; `None`, which is logged, if it is no JSON.
pub(super) fn text_of(json: &[u8]) -> Option<Text> {
    let text = checked(json).map(|json| Text::of_json(&json));
    if text.is_none() {
        tracing::warn!("what is no item was published in a topic");
    }
    text
}

/// The text without line breaks.
fn checked(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    serde_json::from_str::<IgnoredAny>(std::str::from_utf8(text).ok()?).ok()?;
    // In a valid text these stand only between values. Some sessions separate messages by lines.
    let breaks = |byte: &u8| matches!(byte, b'\n' | b'\r' | b'\t');
    Some(match text.iter().any(breaks) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(text.iter().copied().filter(|byte| !breaks(byte)).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_an_item_and_it_has_one_line() {
        for (text, expected) in [
            ("[1]", Some("[1]")),
            ("{\n\t\"a\": 1.50\r\n}", Some("{\"a\": 1.50}")),
            (r#""\n""#, Some(r#""\n""#)),
            ("", None),
            ("[1", None),
            ("1 2", None),
            ("\"a\nb\"", None),
            ("[1]}}{\"jsonrpc\":\"2.0\"", None),
        ] {
            let found = checked(text.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{text:?}");
        }
        assert_eq!(checked(b"\"\xff\""), None);
    }
}
