//! JSON output for people: indentation and colours.
//!
//! The text is tokenized but not decoded. So numbers keep their digits, strings their escapes, and
//! objects the order of their members, including repeated names.

use antiphon::is_printable;

/// Output style of JSON.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// Puts every element on its own line; otherwise everything is on one line.
    pub(crate) indent: bool,
    pub(crate) color: bool,
    /// Escapes characters that are legal in JSON strings but that a terminal interprets, or that
    /// reorder or hide the text around them. The value stays the same.
    pub(crate) guard: bool,
}

/// Colours as parameters of ANSI escape sequences.
const KEY: &str = "1;34";
const STRING: &str = "32";
const NUMBER: &str = "36";
const WORD: &str = "33";
const NULL: &str = "90";

/// Renders JSON text in a style. Invalid JSON may come out changed, but never causes an error.
pub(crate) fn render(text: &str, style: Style) -> String {
    let mut renderer = Renderer {
        style,
        out: String::with_capacity(text.len()),
        open: Vec::new(),
        key: false,
    };
    let mut rest = text;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return renderer.out;
        }
        let (token, behind) = rest.split_at(token(rest));
        rest = renderer.token(token, behind);
    }
}

/// The length of the first token in bytes; at least one character.
fn token(text: &str) -> usize {
    let mut bytes = text.bytes().enumerate();
    match bytes.next() {
        Some((_, b'"')) => {
            let mut escaped = false;
            let end = bytes.find(|&(_, byte)| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            end.map_or(text.len(), |(at, _)| at + 1)
        }
        Some((_, b'{' | b'}' | b'[' | b']' | b',' | b':')) => 1,
        _ => {
            let ends = |(_, byte): &(usize, u8)| b"{}[],:\" \t\r\n".contains(byte);
            bytes.find(ends).map_or(text.len(), |(at, _)| at)
        }
    }
}

struct Renderer {
    style: Style,
    out: String,
    /// The stack of open brackets.
    open: Vec<u8>,
    /// Whether the next string is a member name.
    key: bool,
}

impl Renderer {
    /// Writes one token and returns the remaining text.
    fn token<'a>(&mut self, token: &str, behind: &'a str) -> &'a str {
        match token {
            "{" | "[" => {
                self.out.push_str(token);
                let close = if token == "{" { '}' } else { ']' };
                let next = behind.trim_ascii_start();
                if let Some(behind) = next.strip_prefix(close) {
                    self.out.push(close);
                    return behind;
                }
                self.open.extend(token.bytes());
                self.key = token == "{";
                self.new_line();
            }
            "}" | "]" => {
                self.open.pop();
                self.new_line();
                self.out.push_str(token);
            }
            "," => {
                self.out.push(',');
                self.key = self.open.last() == Some(&b'{');
                self.new_line();
            }
            ":" => {
                self.key = false;
                self.out
                    .push_str(if self.style.indent { ": " } else { ":" });
            }
            _ => {
                let color = match token.as_bytes().first() {
                    Some(b'"') if self.key => KEY,
                    Some(b'"') => STRING,
                    Some(b't' | b'f') => WORD,
                    Some(b'n') => NULL,
                    _ => NUMBER,
                };
                self.scalar(token, color);
            }
        }
        behind
    }

    fn scalar(&mut self, token: &str, color: &str) {
        if self.style.color {
            self.out.extend(["\u{1b}[", color, "m"]);
        }
        if self.style.guard {
            for c in token.chars() {
                if is_printable(c) {
                    self.out.push(c);
                    continue;
                }
                for unit in c.encode_utf16(&mut [0; 2]) {
                    self.out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        } else {
            self.out.push_str(token);
        }
        if self.style.color {
            self.out.push_str("\u{1b}[0m");
        }
    }

    fn new_line(&mut self) {
        if self.style.indent {
            self.out.push('\n');
            self.out.extend(self.open.iter().map(|_| "  "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDENT: Style = Style {
        indent: true,
        color: false,
        guard: true,
    };

    #[test]
    fn on_one_line_only_white_space_is_left_out() {
        let table = [
            ("1", "1"),
            (" [ 1 , 2.50 ,\t-0 ]\r\n", "[1,2.50,-0]"),
            (r#"{ "a b" : { } , "a b" : [ ] }"#, r#"{"a b":{},"a b":[]}"#),
            (r#""\" , {\\" "#, r#""\" , {\\""#),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("[1e400,\"\u{7f}\u{9b}é\"]", "[1e400,\"\u{7f}\u{9b}é\"]"),
        ];
        for (text, expected) in table {
            assert_eq!(render(text, Style::default()), expected, "{text}");
        }
    }

    #[test]
    fn a_person_gets_a_line_for_every_element() {
        let text = r#"{"a":[1,{"b":null}],"c":{},"d":"x"}"#;
        let expected = "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {},\n  \"d\": \"x\"\n}";
        assert_eq!(render(text, INDENT), expected);
        assert_eq!(render(expected, Style::default()), text);
    }

    #[test]
    fn a_terminal_is_given_no_commands() {
        for (text, shown) in [
            ("\"\u{9b}31m\u{7f}\"", r#""\u009b31m\u007f""#),
            (
                "\"\u{202e}txt\u{2066}\u{2028}\"",
                r#""\u202etxt\u2066\u2028""#,
            ),
            (
                "\"\u{200b}\u{feff}\u{e0041}\"",
                r#""\u200b\ufeff\udb40\udc41""#,
            ),
            ("\"é 👩\u{200d}🚀\"", "\"é 👩\u{200d}🚀\""),
        ] {
            assert_eq!(render(text, INDENT), shown);
            let value = |text: &str| serde_json::from_str::<String>(text).unwrap();
            assert_eq!(value(shown), value(text));
        }
    }

    #[test]
    fn names_and_values_have_colours_of_their_own() {
        let style = Style {
            color: true,
            ..Style::default()
        };
        assert_eq!(
            render(r#"{"k":["v",1,true,null]}"#, style),
            "{\u{1b}[1;34m\"k\"\u{1b}[0m:[\u{1b}[32m\"v\"\u{1b}[0m,\u{1b}[36m1\u{1b}[0m,\
             \u{1b}[33mtrue\u{1b}[0m,\u{1b}[90mnull\u{1b}[0m]}"
        );
    }

    #[test]
    fn what_is_no_json_does_no_harm() {
        for text in ["", "{", "]]", "\"abc", "é", "{\"a\"", "\"\\", ",:,"] {
            render(text, INDENT);
        }
    }
}
