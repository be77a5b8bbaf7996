//! Human-readable durations and sizes, on the command line and in the settings file.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::rate_limit::RateLimit;
use crate::server::Profile;

/// The longest duration that is read: about ten years. A longer one is a mistake for `none`, and the
/// system's clock cannot count to all of them.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// A duration: `30`, `30s`, `500ms`, `2m`, `1h 30m`, `2days`, or `none` for no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeLimit(pub Option<Duration>);

impl FromStr for TimeLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        // A bare number means seconds.
        let seconds = text.parse().ok().map(Duration::from_secs);
        let time = seconds.or_else(|| humantime::parse_duration(text).ok());
        // The library reads `5M` as months, which nobody means here.
        time.filter(|time| !text.contains('M') && *time <= LONGEST)
            .map(|time| Self(Some(time)))
            .ok_or_else(|| format!("{text:?} is no time; write 30s, 500ms, 2m, 1h, 1h 30m or none"))
    }
}

/// A rate limit: `100/s`, `600/m`, `5000/h`, or `none`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallRate(pub Option<RateLimit>);

impl FromStr for CallRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            text => text.parse().map(|limit| Self(Some(limit))),
        }
    }
}

/// A size: `4096`, `64KiB`, `10MiB`, `1GiB`.
///
/// Parsed here and not by a library: the existing ones read `10M` and `10MB` as 10 000 000 bytes. A
/// limit smaller than intended is noticed late, so such input is an error here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteSize(pub usize);

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no size; write 4096, 64KiB, 10MiB or 1GiB");
        let digits = text.find(|c: char| !c.is_ascii_digit());
        let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
        let number: usize = number.parse().map_err(|_| bad())?;
        let factor: usize = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(bad()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(bad)
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "public" => Ok(Self::Public),
            _ => Err(format!("{text:?} is no profile; write auto or public")),
        }
    }
}

/// Deserializes a value that a file gives in the same form as a flag, or as a bare number.
fn from_file<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(d: D) -> Result<T, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }
    let text = match Written::deserialize(d)? {
        Written::Number(number) => number.to_string(),
        Written::Text(text) => text,
    };
    text.parse().map_err(D::Error::custom)
}

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        from_file(d)
    }
}

impl<'de> Deserialize<'de> for CallRate {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        from_file(d)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        from_file(d)
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        from_file(d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_with_their_units() {
        let time = |text: &str| {
            text.parse::<TimeLimit>()
                .map(|TimeLimit(time)| time.map(|t| t.as_millis()))
        };
        assert_eq!(time("30"), Ok(Some(30_000)));
        assert_eq!(time("30s"), Ok(Some(30_000)));
        assert_eq!(time("500ms"), Ok(Some(500)));
        assert_eq!(time("2m"), Ok(Some(120_000)));
        assert_eq!(time("none"), Ok(None));
        assert_eq!(time("1h 30m"), Ok(Some(5_400_000)));
        for bad in [
            "",
            "s",
            "-1s",
            "2 x",
            "None",
            "5M",
            "11years",
            "9999999999",
            "99999999999999999999",
        ] {
            assert!(time(bad).is_err(), "{bad}");
        }
        let size = |text: &str| text.parse::<ByteSize>().map(|ByteSize(bytes)| bytes);
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("10MiB"), Ok(10 << 20));
        for bad in [
            "",
            "MiB",
            "10 TB",
            "10mb",
            "10M",
            "10MB",
            "99999999999999GiB",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
