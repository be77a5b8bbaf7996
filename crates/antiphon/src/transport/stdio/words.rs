//! A command line → words, without a shell.

/// Splits at white space. Quotes keep words together: nothing is special between `'…'`, and between
/// `"…"` only `\"` and `\\`; elsewhere a backslash takes the next character as it is.
///
/// `None` if a quote is not closed, or a backslash ends the text.
pub(super) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match c {
            '\'' => loop {
                match rest.next()? {
                    '\'' => break,
                    c => word.push(c),
                }
            },
            '"' => loop {
                match rest.next()? {
                    '"' => break,
                    '\\' => match rest.next()? {
                        c @ ('"' | '\\') => word.push(c),
                        c => word.extend(['\\', c]),
                    },
                    c => word.push(c),
                }
            },
            '\\' => word.push(rest.next()?),
            c => word.push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (text, expected) in [
            ("", Some(&[][..])),
            ("  cat  -u ", Some(&["cat", "-u"])),
            ("a 'b c' \"d e\"", Some(&["a", "b c", "d e"])),
            ("a'b'\"c\"d", Some(&["abcd"])),
            (
                r#"'\' "\"\\\n" \' a\ b"#,
                Some(&["\\", "\"\\\\n", "'", "a b"]),
            ),
            ("'' \"\"", Some(&["", ""])),
            ("$HOME *", Some(&["$HOME", "*"])),
            ("'a", None),
            ("\"a", None),
            ("a\\", None),
        ] {
            let words = split(text);
            let words: Option<Vec<_>> = words
                .as_ref()
                .map(|w| w.iter().map(String::as_str).collect());
            assert_eq!(words.as_deref(), expected, "{text}");
        }
    }
}
