//! Compact formatting of numbers, times and sizes.

/// Formats a count: exactly below 100000, otherwise with three digits and a unit.
pub(super) fn count(number: f64) -> String {
    const UNITS: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
    if number.round() < 100_000.0 {
        return format!("{number:.0}");
    }
    scaled(number, 1000.0, &UNITS)
}

/// Formats a size with binary units, that is multiples of 1024 bytes.
pub(super) fn bytes(number: f64) -> String {
    const UNITS: [&str; 6] = ["K", "M", "G", "T", "P", "E"];
    if number < 1024.0 {
        return format!("{number:.0}B");
    }
    scaled(number, 1024.0, &UNITS)
}

/// Formats a rate per second.
pub(super) fn rate(number: f64) -> String {
    match number {
        ..9.95 => format!("{number:.1}"),
        _ => count(number),
    }
}

/// Formats a fraction as a percentage, which may exceed 100 %.
pub(super) fn share(number: f64) -> String {
    let percent = number * 100.0;
    match percent {
        ..9.95 => format!("{percent:.1}%"),
        _ => format!("{percent:.0}%"),
    }
}

/// Formats a duration with its two largest units: `1h02m`. Below a minute it is exact to the
/// second, and below ten seconds to a tenth.
pub(super) fn time(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{seconds:.1}s");
    }
    // The cast saturates, so durations beyond `u64` are shown as its maximum.
    let whole = seconds.round() as u64;
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86_400);
    match whole {
        ..60 => format!("{whole}s"),
        60..3600 => format!("{minutes}m{:02}s", whole % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        86_400.. => format!("{days}d{:02}h", hours % 24),
    }
}

/// Formats with three digits and the largest unit that leaves a whole part other than zero.
fn scaled(number: f64, step: f64, units: &[&str]) -> String {
    let mut value = number;
    let mut unit = "";
    for larger in units {
        // What rounds to four digits takes the next unit.
        if value < 999.5 {
            break;
        }
        value /= step;
        unit = larger;
    }
    match value {
        ..9.995 => format!("{value:.2}{unit}"),
        ..99.95 => format!("{value:.1}{unit}"),
        _ => format!("{value:.0}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Write = fn(f64) -> String;

    #[test]
    fn numbers_are_short() {
        let table: &[(Write, f64, &str)] = &[
            (count, 0.0, "0"),
            (count, 99_999.0, "99999"),
            (count, 99_999.6, "100k"),
            (count, 123_456.0, "123k"),
            (count, 999_499.0, "999k"),
            (count, 999_500.0, "1.00M"),
            (count, 9_994_000.0, "9.99M"),
            (count, 9_996_000.0, "10.0M"),
            (count, 12_345_678_901.0, "12.3G"),
            (count, u64::MAX as f64, "18.4E"),
            (bytes, 0.0, "0B"),
            (bytes, 1023.0, "1023B"),
            (bytes, 1024.0, "1.00K"),
            (bytes, 17_936_384.0, "17.1M"),
            (bytes, 1_073_741_823.0, "1.00G"),
            (bytes, 5e12, "4.55T"),
            (rate, 0.0, "0.0"),
            (rate, 9.94, "9.9"),
            (rate, 9.96, "10"),
            (rate, 123_456.7, "123k"),
            (share, 0.0, "0.0%"),
            (share, 0.0349, "3.5%"),
            (share, 0.0996, "10%"),
            (share, 2.5, "250%"),
            (time, 0.0, "0.0s"),
            (time, 9.94, "9.9s"),
            (time, 9.96, "10s"),
            (time, 59.4, "59s"),
            (time, 59.6, "1m00s"),
            (time, 3599.0, "59m59s"),
            (time, 3600.0, "1h00m"),
            (time, 86_399.0, "23h59m"),
            (time, 86_400.0, "1d00h"),
            (time, 8_640_000.0, "100d00h"),
        ];
        for (write, number, expected) in table {
            assert_eq!(write(*number), *expected, "{number}");
        }
    }

    #[test]
    fn no_number_is_too_large_to_write() {
        for number in [f64::MAX, f64::INFINITY] {
            for write in [count, bytes, rate, share, time] {
                assert!(!write(number).is_empty());
            }
        }
    }
}
