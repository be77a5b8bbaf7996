//! Rate limit as a setting: calls in a time, and how many of them may come at once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::gcra::Gcra;

/// How many calls each caller may make: so many in a time, and so many at once.
///
/// [`Server::rate_limit`](crate::Server::rate_limit) sets it for a server. A call beyond it does not
/// run and gets error −32005 ([`ErrorCode::LIMIT_EXCEEDED`](crate::ErrorCode::LIMIT_EXCEEDED)).
///
/// A caller that was silent may make [`burst`](Self::burst) calls at once. What it has used of them
/// comes back at the rate of the limit, one after the other. A method counts as one call, or as its
/// [`cost`](crate::Method::cost).
///
/// As a text it is `100/s`, `600/m` or `5000/h`.
///
/// ```
/// use antiphon::RateLimit;
///
/// let limit = RateLimit::per_second(100).burst(200);
/// assert_eq!(limit.to_string(), "100/s");
/// assert_eq!("600/m".parse(), Ok(RateLimit::per_minute(600)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    calls: u32,
    period: Period,
    /// `None` means as many as in a second.
    burst: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Period {
    Second,
    Minute,
    Hour,
}

impl Period {
    fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }
}

impl RateLimit {
    fn new(calls: u32, period: Period) -> Self {
        Self {
            calls,
            period,
            burst: None,
        }
    }

    /// So many calls a second.
    #[must_use]
    pub fn per_second(calls: u32) -> Self {
        Self::new(calls, Period::Second)
    }

    /// So many calls a minute.
    #[must_use]
    pub fn per_minute(calls: u32) -> Self {
        Self::new(calls, Period::Minute)
    }

    /// So many calls an hour.
    #[must_use]
    pub fn per_hour(calls: u32) -> Self {
        Self::new(calls, Period::Hour)
    }

    /// Sets how many calls may come at once. Default: as many as the limit allows in a second, at
    /// least 1.
    #[must_use]
    pub fn burst(mut self, calls: u32) -> Self {
        self.burst = Some(calls);
        self
    }

    /// The number of calls in its time.
    pub(crate) fn calls(self) -> u32 {
        self.calls
    }

    /// How many calls may come at once.
    pub(crate) fn most_at_once(self) -> u32 {
        let in_a_second = self.calls / self.period.seconds();
        self.burst.unwrap_or(in_a_second.max(1))
    }

    pub(super) fn gcra(self) -> Gcra {
        let period = Duration::from_secs(self.period.seconds().into());
        Gcra::new(self.calls, period, self.most_at_once())
    }
}

/// Without the burst.
impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.period {
            Period::Second => 's',
            Period::Minute => 'm',
            Period::Hour => 'h',
        };
        write!(f, "{}/{unit}", self.calls)
    }
}

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no rate; write 100/s, 600/m or 5000/h");
        let (calls, unit) = text.split_once('/').ok_or_else(bad)?;
        // A number for Rust may have a sign.
        let digits = calls.bytes().all(|byte| byte.is_ascii_digit());
        let calls = calls.parse().ok().filter(|_| digits).ok_or_else(bad)?;
        let period = match unit {
            "s" => Period::Second,
            "m" => Period::Minute,
            "h" => Period::Hour,
            _ => return Err(bad()),
        };
        Ok(Self::new(calls, period))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_it_is_written() {
        for (text, at_once) in [
            ("100/s", 100),
            ("1/s", 1),
            ("600/m", 10),
            ("59/m", 1),
            ("7200/h", 2),
            ("5/h", 1),
            ("0/s", 1),
            ("4294967295/s", u32::MAX),
        ] {
            let limit: RateLimit = text.parse().unwrap();
            assert_eq!(limit.to_string(), text);
            assert_eq!(limit.most_at_once(), at_once, "{text}");
            assert_eq!(limit.burst(7).most_at_once(), 7);
        }
        for bad in [
            "",
            "100",
            "/s",
            "100/",
            "100/S",
            "100/d",
            "+1/s",
            "-1/s",
            "1.5/s",
            " 1/s",
            "1/s ",
            "1/ s",
            "1/s/s",
            "4294967296/s",
            "many/s",
        ] {
            let error = bad.parse::<RateLimit>().unwrap_err();
            assert!(error.contains("write 100/s"), "{error}");
        }
    }
}
