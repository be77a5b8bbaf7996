//! Media types: of a request body (RFC 9110, section 8.3), and those that a client accepts (section
//! 12.5.1).

use http::header::ACCEPT;

use crate::transport::http::events;
use crate::transport::http::headers::{Fields, Occurrence};

/// The media types of a message. A request may have any of them, and a response has the first one
/// unless its client wants another.
pub(crate) const KNOWN: [&str; 3] = [
    "application/json",
    "application/json-rpc",
    "application/jsonrequest",
];

/// Whether the body is JSON, by the essence of its media type; parameters are ignored.
///
/// A missing type is refused as well: a web page can send a body without one to another site, and
/// browsers send no preflight for it.
pub(crate) fn is_json(content_type: Occurrence<'_>) -> bool {
    let Occurrence::Once(value) = content_type else {
        return false;
    };
    let value = value.as_bytes();
    if value == KNOWN[0].as_bytes() {
        return true;
    }
    let Some((essence, parameters)) = split(value) else {
        return false;
    };
    KNOWN
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
        && are_parameters(parameters)
}

/// Splits a media type into its essence and its parameters.
fn split(value: &[u8]) -> Option<(&str, &str)> {
    let value = std::str::from_utf8(value).ok()?;
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    Some((essence.trim_matches([' ', '\t']), parameters))
}

/// Whether the text is a list of parameters. Their values are ignored, but `a/b; application/json`
/// has to be refused.
fn are_parameters(text: &str) -> bool {
    let mut rest = text.trim();
    while !rest.is_empty() {
        let Some((name, value)) = rest.split_once('=') else {
            return false;
        };
        if !name.trim_matches([' ', '\t', ';']).bytes().all(is_token) {
            return false;
        }
        let value = value.trim_start();
        let end = match value.strip_prefix('"') {
            Some(quoted) => match end_of_quoted(quoted) {
                Some(end) => end + 1,
                None => return false,
            },
            None => value.find(';').unwrap_or(value.len()),
        };
        let (_, behind) = value.split_at(end);
        rest = behind.trim_start();
        if !rest.is_empty() && !rest.starts_with(';') {
            return false;
        }
        rest = rest.trim_start_matches([' ', '\t', ';']);
    }
    true
}

/// The index after the closing quote of a quoted string (RFC 9110, section 5.6.4).
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Response formats that a request accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Choice {
    /// Index of the one of the route's media types that the client likes best, and of several the
    /// first; `None` if it accepts none.
    pub(crate) whole: Option<usize>,
    /// Whether `Accept` names `text/event-stream`. A client that sends `*/*` does not expect an
    /// event stream.
    pub(crate) events: bool,
}

impl Choice {
    fn whole(whole: Option<usize>) -> Self {
        let events = false;
        Self { whole, events }
    }
}

/// Negotiates the format of the response: one of the route's media types or an event stream.
pub(crate) fn negotiate(fields: &Fields<'_>, ours: &[String]) -> Choice {
    let first = Choice::whole((!ours.is_empty()).then_some(0));
    match fields.accept {
        Occurrence::Never => return first,
        Occurrence::Once(value) if value == "*/*" => return first,
        Occurrence::Once(value) if ours.first().is_some_and(|ours| value == ours) => return first,
        Occurrence::Once(_) | Occurrence::Often => {}
    }
    let values = fields.all.get_all(ACCEPT).iter();
    let ranges: Vec<Range<'_>> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
        .collect();
    if ranges.is_empty() {
        return first;
    }
    let mut best = None;
    for (at, ours) in ours.iter().enumerate() {
        let weight = weight(&ranges, ours);
        if weight > best.map_or(0, |(_, weight)| weight) {
            best = Some((at, weight));
        }
    }
    Choice {
        whole: best.map(|(at, _)| at),
        events: ranges.iter().any(|range| range.names(events::MEDIA_TYPE)),
    }
}

/// Whether `Accept` names this media type; `*/*` does not count.
pub(crate) fn is_wanted(fields: &Fields<'_>, media_type: &str) -> bool {
    let accepted = fields.all.get_all(ACCEPT).iter();
    let mut ranges = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','));
    ranges.any(|range| Range::parse(range).is_some_and(|range| range.names(media_type)))
}

/// The weight of this media type. The most specific range decides, and of several the heaviest.
fn weight(ranges: &[Range<'_>], ours: &str) -> u16 {
    let fitting = ranges
        .iter()
        .filter_map(|range| Some((range.fits(ours)?, range.weight)));
    fitting.max().map_or(0, |(_, weight)| weight)
}

struct Range<'a> {
    essence: &'a str,
    /// In thousandths. Zero excludes what the range matches.
    weight: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let essence = essence.trim();
        let weight = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("q")
                .then(|| thousandths(value.trim()))
        });
        let weight = weight.flatten().unwrap_or(HEAVIEST);
        (!essence.is_empty()).then_some(Self { essence, weight })
    }

    /// Whether the client wants this media type and has said so by name.
    fn names(&self, essence: &str) -> bool {
        self.weight > 0 && self.is(essence)
    }

    fn is(&self, essence: &str) -> bool {
        self.essence.eq_ignore_ascii_case(essence)
    }

    /// How specific the range is if it matches the media type. Parameters of the type are ignored.
    fn fits(&self, ours: &str) -> Option<u8> {
        let (ours, _) = ours.split_once(';').unwrap_or((ours, ""));
        let ours = ours.trim_end();
        if self.is(ours) {
            return Some(2);
        }
        let group = self.essence.strip_suffix("/*")?;
        if group == "*" {
            return Some(0);
        }
        let (ours, _) = ours.split_once('/')?;
        group.eq_ignore_ascii_case(ours).then_some(1)
    }
}

/// The weight that a range has unless it says otherwise.
const HEAVIEST: u16 = 1000;

/// The value of a weight (RFC 9110, section 12.4.2): at most 1, with at most three digits behind the
/// point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !digits {
        return None;
    }
    let value = format!("{whole}{fraction:0<3}").parse().ok()?;
    (value <= HEAVIEST).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use http::header::CONTENT_TYPE;

    fn headers(name: &http::HeaderName, values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    fn json(headers: &HeaderMap) -> bool {
        is_json(Fields::of(headers).content_type)
    }

    fn choose<'a>(headers: &HeaderMap, ours: &'a [String]) -> Option<&'a str> {
        let chosen = negotiate(&Fields::of(headers), ours).whole;
        chosen.map(|at| ours[at].as_str())
    }

    #[test]
    fn a_body_is_json_by_its_essence() {
        for (value, expected) in [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/json; charset=utf-8", true),
            ("application/json; charset=\"utf-8\"", true),
            ("application/json ; charset=utf-8; x=1", true),
            ("application/json;indent=4", true),
            ("application/json; a=\"x;y\\\"z\"", true),
            ("application/json;", true),
            ("application/json-rpc", true),
            ("application/jsonrequest", true),
            ("text/plain", false),
            ("text/plain; application/json", false),
            ("application/json; application/json", false),
            ("application/json, text/plain", false),
            ("application/jsonp", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=application/json", false),
            ("application/json; a=\"", false),
            ("", false),
        ] {
            assert_eq!(
                json(&headers(&CONTENT_TYPE, &[value])),
                expected,
                "{value:?}"
            );
        }
        assert!(!json(&HeaderMap::new()));
        assert!(!json(&headers(
            &CONTENT_TYPE,
            &["application/json", "application/json"]
        )));
    }

    #[test]
    fn accept_chooses_or_excludes() {
        let ours = KNOWN.map(str::to_owned);
        let both = Some("application/json");
        for (value, expected) in [
            ("*/*", both),
            ("application/*", both),
            ("application/json", both),
            ("text/html, application/json;q=0.1", both),
            ("application/json-rpc", Some("application/json-rpc")),
            ("application/json;q=0, */*", Some("application/json-rpc")),
            ("application/jsonrequest", Some("application/jsonrequest")),
            ("application/json-rpc, application/json", both),
            (
                "application/json;q=0.5, application/json-rpc;q=0.501",
                Some("application/json-rpc"),
            ),
            (
                "application/*;q=0.2, application/jsonrequest;Q=1.000",
                Some("application/jsonrequest"),
            ),
            (
                "application/json;q=0.1, application/*",
                Some("application/json-rpc"),
            ),
            ("application/json;q=0, application/json;q=0.5", both),
            // What is no weight counts as none.
            ("application/json;q=2", both),
            ("application/json;q=nan", both),
            ("application/json;q=0.0001", both),
            ("application/json;q=", both),
            ("application/json;q=0", None),
            ("application/json; q=0.000", None),
            ("application/jsonp", None),
            ("text/html", None),
            ("text/*, image/png", None),
            ("*/*;q=0", None),
            ("", both),
        ] {
            assert_eq!(
                choose(&headers(&ACCEPT, &[value]), &ours),
                expected,
                "{value:?}"
            );
        }
        assert_eq!(choose(&HeaderMap::new(), &ours), both);
        assert_eq!(
            choose(&headers(&ACCEPT, &["text/html", "*/*"]), &ours),
            both
        );
    }

    #[test]
    fn event_streams_are_for_those_who_name_them() {
        let ours = ["application/json".to_owned()];
        for (values, whole, events) in [
            (&[][..], true, false),
            (&["*/*"][..], true, false),
            (&["text/*"], false, false),
            (&["text/*, */*"], true, false),
            (&["text/event-stream"], false, true),
            (&["Text/Event-Stream;q=0.1"], false, true),
            (&["text/event-stream; charset=utf-8"], false, true),
            (&["text/event-stream;q=0"], false, false),
            (&["text/event-stream;q=0, */*"], true, false),
            (&["text/event-stream, */*;q=0.1"], true, true),
            (&["application/json, text/event-stream"], true, true),
            (&["application/json", "text/event-stream"], true, true),
            (&["text/event-streams"], false, false),
        ] {
            let headers = headers(&ACCEPT, values);
            let choice = negotiate(&Fields::of(&headers), &ours);
            let whole = whole.then_some(0);
            assert_eq!(choice, Choice { whole, events }, "{values:?}");
        }
    }
}
