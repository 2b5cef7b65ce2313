//! Numbers and files as people read them.

use std::path::Path;

/// A duration in milliseconds, as in `0.4s`, `12s`, `3m05s`, `2h10m`, `4d03h`.
pub(crate) fn duration(millis: i64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        ..0 => "0.0s".to_owned(),
        0..10 => format!("{}.{}s", seconds, millis % 1_000 / 100),
        10..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// A count with its noun, as in `1 job`, `20 jobs`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {noun}{plural}")
}

/// A job file as it is found from the working directory: a path of a file below it, or the whole of another.
pub(crate) fn file(source: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    Path::new(source)
        .strip_prefix(&here)
        .map_or_else(|_| source.to_owned(), |file| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (millis, text) in [
            (-5, "0.0s"),
            (420, "0.4s"),
            (9_990, "9.9s"),
            (12_000, "12s"),
            (185_000, "3m05s"),
            (7_800_000, "2h10m"),
            (356_400_000, "4d03h"),
        ] {
            assert_eq!(duration(millis), text);
        }
    }

    #[test]
    fn files_below_the_working_directory_are_named_from_there() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(file(here.join("jobs/a.json").to_str().unwrap()), "jobs/a.json");
        for other in ["/elsewhere/a.json", "a.json", "s3://bucket/jobs/a.json"] {
            assert_eq!(file(other), other);
        }
    }

    #[test]
    fn counts_are_grouped_and_agree_with_their_noun() {
        assert_eq!(count(1, "job"), "1 job");
        assert_eq!(count(0, "job"), "0 jobs");
        assert_eq!(count(1_234_567, "job"), "1,234,567 jobs");
        assert_eq!(count(123, "job"), "123 jobs");
    }
}
