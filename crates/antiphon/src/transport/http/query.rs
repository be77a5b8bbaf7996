//! Query of a GET that subscribes: `method=news.subscribe&params=["weather"]&after=CURSOR`.

/// The most bytes of a query.
pub(super) const MAX_QUERY: usize = 16 * 1024;

/// Whether a query has a field `method`, so that it is meant for a subscription.
pub(super) fn names_method(text: &str) -> bool {
    let mut names = text.split('&').map(|field| field.split('=').next());
    names.any(|name| name == Some("method"))
}

/// The parts of a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) method: String,
    /// JSON text.
    pub(super) params: Option<String>,
    pub(super) after: Option<String>,
}

impl Query {
    /// Reads a query as HTML forms write it: a `+` is a space. Fields of other names are ignored, and so
    /// are `params` and `after` without a value.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut method, mut params, mut after) = (None, None, None);
        for field in text.split('&') {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            let place = match &*decode(name)? {
                "method" => &mut method,
                "params" => &mut params,
                "after" => &mut after,
                _ => continue,
            };
            if place.replace(decode(value)?).is_some() {
                return Err("`method`, `params` and `after` may be there once only");
            }
        }
        let given = |text: &String| !text.is_empty();
        Ok(Self {
            method: method.ok_or("the query has no `method`")?,
            params: params.filter(given),
            after: after.filter(given),
        })
    }
}

/// Decodes a name or a value.
fn decode(text: &str) -> Result<String, &'static str> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        decoded.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits = rest.first_chunk().copied().and_then(byte);
                rest = rest.get(2..).unwrap_or_default();
                digits.ok_or("a `%` in the query is not followed by two hexadecimal digits")?
            }
            plain => *plain,
        });
    }
    String::from_utf8(decoded).map_err(|_| "the query is not UTF-8")
}

/// The byte that two hexadecimal digits stand for.
fn byte(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_a_method_and_perhaps_parameters_and_a_cursor() {
        const BAD_DIGITS: &str = "a `%` in the query is not followed by two hexadecimal digits";
        const NO_UTF8: &str = "the query is not UTF-8";
        const TWICE: &str = "`method`, `params` and `after` may be there once only";
        const NO_METHOD: &str = "the query has no `method`";
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        for (text, expected) in [
            ("method=a.b", Ok(("a.b", "", ""))),
            ("method=a&params=[1]&after=5-1-a", Ok(("a", "[1]", "5-1-a"))),
            ("after=5&params={}&method=a", Ok(("a", "{}", "5"))),
            (
                "method=a&params=%5B%22x%20y%22%5D",
                Ok(("a", "[\"x y\"]", "")),
            ),
            (
                "method=a&params=[%22x+y%2B%22]",
                Ok(("a", "[\"x y+\"]", "")),
            ),
            ("m%65thod=a", Ok(("a", "", ""))),
            ("method=%C3%a9%e2%82%AC", Ok(("é€", "", ""))),
            ("method=a&params=&after=", Ok(("a", "", ""))),
            ("method=a&params", Ok(("a", "", ""))),
            ("method=a=b&&_=17&x", Ok(("a=b", "", ""))),
            ("method=", Ok(("", "", ""))),
            ("", Err(NO_METHOD)),
            ("params=[1]", Err(NO_METHOD)),
            ("Method=a", Err(NO_METHOD)),
            ("method=a&method=b", Err(TWICE)),
            ("method=a&params=&params=[1]", Err(TWICE)),
            ("method=%", Err(BAD_DIGITS)),
            ("method=%4", Err(BAD_DIGITS)),
            ("method=%4g", Err(BAD_DIGITS)),
            ("method=%+4", Err(BAD_DIGITS)),
            ("%zz=1&method=a", Err(BAD_DIGITS)),
            ("method=%ff", Err(NO_UTF8)),
            ("method=%c3", Err(NO_UTF8)),
            ("method=a&params=[%22%ed%a0%80%22]", Err(NO_UTF8)),
        ] {
            let expected = expected.map(|(method, params, after)| Query {
                method: method.to_owned(),
                params: some(params),
                after: some(after),
            });
            assert_eq!(Query::parse(text), expected, "{text:?}");
        }
    }
}
