//! A function's settings, from its environment.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A variable that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is not there.
    #[error("the environment variable {name} is not set; set it to {expected}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it should hold.
        expected: String,
    },
    /// It holds what it can't.
    #[error("the environment variable {name} is {value:?}; set it to {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: String,
    },
}

/// Reads the process's environment. A value that is not UTF-8 is taken for absent.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where a function's environment is read, once, at its start"
)]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A variable without a default. Errs where it is missing or empty.
pub fn text(
    look_up: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    expected: &str,
) -> Result<String, ConfigError> {
    let expected = expected.to_owned();
    match look_up(name) {
        None => Err(ConfigError::Missing { name, expected }),
        Some(value) if value.trim().is_empty() => Err(ConfigError::Invalid { name, value, expected }),
        Some(value) => Ok(value),
    }
}

/// A number with a default. Errs where it is there and not a number within the bounds.
pub fn number<T: FromStr + PartialOrd + fmt::Display + Copy>(
    look_up: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    default: T,
    bounds: RangeInclusive<T>,
) -> Result<T, ConfigError> {
    let Some(value) = look_up(name) else { return Ok(default) };
    match value.trim().parse() {
        Ok(number) if bounds.contains(&number) => Ok(number),
        _ => {
            let expected = format!("a number from {} to {}", bounds.start(), bounds.end());
            Err(ConfigError::Invalid { name, value, expected })
        }
    }
}

/// A switch, off where it is not set. Errs where it is neither `true` nor `false`.
pub fn flag(look_up: &impl Fn(&str) -> Option<String>, name: &'static str) -> Result<bool, ConfigError> {
    let Some(value) = look_up(name) else { return Ok(false) };
    value.trim().parse().map_err(|_| ConfigError::Invalid {
        name,
        value,
        expected: "true or false".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(name: &str) -> Option<String> {
        match name {
            "TABLE" => Some("jobs".to_owned()),
            "EMPTY" => Some(" ".to_owned()),
            "RATE" => Some("12".to_owned()),
            "WORD" => Some("fast".to_owned()),
            "ON" => Some("true".to_owned()),
            "OFF" => Some("false".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_with_its_value() {
        assert_eq!(text(&look_up, "TABLE", "a table").as_deref(), Ok("jobs"));
        for (error, expected) in [
            (
                text(&look_up, "NONE", "the table of jobs").unwrap_err(),
                "the environment variable NONE is not set; set it to the table of jobs",
            ),
            (
                text(&look_up, "EMPTY", "the table of jobs").unwrap_err(),
                "the environment variable EMPTY is \" \"; set it to the table of jobs",
            ),
            (
                number(&look_up, "WORD", 1, 1..=50).unwrap_err(),
                "the environment variable WORD is \"fast\"; set it to a number from 1 to 50",
            ),
            (
                number(&look_up, "RATE", 1, 1..=10).unwrap_err(),
                "the environment variable RATE is \"12\"; set it to a number from 1 to 10",
            ),
            (
                flag(&look_up, "WORD").unwrap_err(),
                "the environment variable WORD is \"fast\"; set it to true or false",
            ),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_number_has_a_default() {
        assert_eq!(number(&look_up, "NONE", 50, 1..=100), Ok(50));
        assert_eq!(number(&look_up, "RATE", 50, 1..=100), Ok(12));
    }

    #[test]
    fn a_switch_is_off_until_it_is_set() {
        for (name, on) in [("NONE", false), ("OFF", false), ("ON", true)] {
            assert_eq!(flag(&look_up, name), Ok(on), "{name}");
        }
    }
}
