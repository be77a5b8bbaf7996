//! JSON parser that validates examples.

/// Maximum nesting depth of an example.
const MAX_DEPTH: usize = 64;

/// Recursive-descent parser. Its methods return the reason why they cannot continue.
struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

/// Validates an example: an object with `params`, `result` or both, where `params` is an array or
/// an object.
pub(crate) fn check_example(text: &str) -> Result<(), String> {
    let mut reader = Reader {
        rest: text,
        depth: 0,
    };
    let mut known = Vec::new();
    reader.spaces();
    if !reader.rest.starts_with('{') {
        return Err("it is no object".to_owned());
    }
    reader.object(&mut |name, value| {
        let is_known = matches!(name, "params" | "result");
        if !is_known || known.iter().any(|earlier| earlier == name) {
            return Err(format!("`{name}` is not expected here"));
        }
        if name == "params" && !value.starts_with(['[', '{']) {
            return Err("`params` is a list or an object".to_owned());
        }
        known.push(name.to_owned());
        Ok(())
    })?;
    reader.spaces();
    match reader.rest.is_empty() {
        true => Ok(()),
        false => Err(reader.unexpected()),
    }
}

impl Reader<'_> {
    fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn unexpected(&self) -> String {
        match self.rest.chars().next() {
            Some(found) => format!("`{found}` is not expected here"),
            None => "it ends too early".to_owned(),
        }
    }

    fn take(&mut self, token: &str) -> bool {
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.take(token) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    fn value(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} deep"));
        }
        self.spaces();
        match self.rest.chars().next() {
            Some('{') => self.object(&mut |_, _| Ok(()))?,
            Some('[') => self.list()?,
            Some('"') => drop(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            _ if self.take("true") || self.take("false") || self.take("null") => {}
            _ => return Err(self.unexpected()),
        }
        self.depth -= 1;
        Ok(())
    }

    /// Parses an object. `member` is called with each name and the remaining text at its value.
    fn object(
        &mut self,
        member: &mut dyn FnMut(&str, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        self.expect("{")?;
        self.spaces();
        if self.take("}") {
            return Ok(());
        }
        loop {
            self.spaces();
            let name = self.string()?.to_owned();
            self.spaces();
            self.expect(":")?;
            self.spaces();
            member(&name, self.rest)?;
            self.value()?;
            self.spaces();
            if self.take("}") {
                return Ok(());
            }
            self.expect(",")?;
        }
    }

    fn list(&mut self) -> Result<(), String> {
        self.expect("[")?;
        self.spaces();
        if self.take("]") {
            return Ok(());
        }
        loop {
            self.value()?;
            self.spaces();
            if self.take("]") {
                return Ok(());
            }
            self.expect(",")?;
        }
    }

    /// Parses a string and returns the text between the quotes without unescaping it.
    fn string(&mut self) -> Result<&str, String> {
        self.expect("\"")?;
        let inside = self.rest;
        loop {
            let mut chars = self.rest.chars();
            let found = chars.next();
            match found {
                Some('"') => break,
                Some('\\') => match chars.next() {
                    Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => {
                        self.rest = chars.as_str();
                    }
                    Some('u') => {
                        let digits = chars.by_ref().take(4);
                        if digits.filter(char::is_ascii_hexdigit).count() < 4 {
                            return Err("four hexadecimal digits follow `\\u`".to_owned());
                        }
                        self.rest = chars.as_str();
                    }
                    _ => return Err("no character is written like this in JSON".to_owned()),
                },
                Some(c) if c >= ' ' => self.rest = chars.as_str(),
                _ => return Err("a text is not closed on its line".to_owned()),
            }
        }
        let length = inside.len() - self.rest.len();
        self.rest = self.rest.strip_prefix('"').unwrap_or(self.rest);
        Ok(inside.get(..length).unwrap_or_default())
    }

    fn number(&mut self) -> Result<(), String> {
        self.take("-");
        if !self.take("0") {
            self.digits()?;
        }
        if self.take(".") {
            self.digits()?;
        }
        if self.take("e") || self.take("E") {
            let _signed = self.take("+") || self.take("-");
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), String> {
        let after = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if after.len() == self.rest.len() {
            return Err(self.unexpected());
        }
        self.rest = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_example_is_refused_with_the_reason() {
        for (text, reason) in [
            (
                r#"{"params": [3, 4.5e-1], "result": {"a": [], "b": null}}"#,
                "",
            ),
            (r#" {"params":{"x":"\u00e4 \" \\","y":-0}} "#, ""),
            (r#"{"result":true}"#, ""),
            ("{}", ""),
            ("[1]", "it is no object"),
            ("", "it is no object"),
            ("{\"params\": [3, 4]", "it ends too early"),
            ("{'params': []}", "`'` is not expected here"),
            (
                r#"{"params": [3,], "result": 1}"#,
                "`]` is not expected here",
            ),
            (r#"{"params": [03]}"#, "`3` is not expected here"),
            (r#"{"params": 3}"#, "`params` is a list or an object"),
            (
                r#"{"result": 3, "result": 3}"#,
                "`result` is not expected here",
            ),
            (r#"{"error": 3}"#, "`error` is not expected here"),
            (r#"{"result": 3} x"#, "`x` is not expected here"),
            (
                r#"{"result": "\x"}"#,
                "no character is written like this in JSON",
            ),
            (
                r#"{"result": "\u00g0"}"#,
                "four hexadecimal digits follow `\\u`",
            ),
            ("{\"result\": \"a\nb\"}", "a text is not closed on its line"),
            (r#"{"result": nul}"#, "`n` is not expected here"),
            (r#"{"result": 1.}"#, "`}` is not expected here"),
        ] {
            let found = check_example(text).err().unwrap_or_default();
            assert_eq!(found, reason, "{text}");
        }
        let deep = |depth| format!("{{\"result\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(check_example(&deep(64)).is_ok());
        assert!(check_example(&deep(65)).is_err());
    }
}
