//! How many failures a fan-out goes on after.

use serde::{Deserialize, Serialize};

/// How many may fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Tolerated {
    /// So many.
    Count(u64),
    /// So many of a hundred, as in "5%".
    Percent(#[cfg_attr(feature = "schema", schemars(extend("pattern" = "^(100|[0-9]{1,2})%$")))] String),
}

impl Tolerated {
    pub(super) fn checked(&self) -> Result<Tolerated, String> {
        match self {
            Tolerated::Percent(text) if percent(text).is_none() => {
                Err(format!("tolerated: {text:?} is no number and no part of all; write it as 5 or \"5%\""))
            }
            other => Ok(other.clone()),
        }
    }

    /// Whether the number of items must be known before the first is invoked.
    pub fn needs_total(&self) -> bool {
        matches!(self, Tolerated::Percent(_))
    }

    /// The most that may fail of so many.
    pub fn of(&self, total: u64) -> u64 {
        match self {
            Tolerated::Count(count) => *count,
            Tolerated::Percent(text) => total.saturating_mul(percent(text).unwrap_or(0)) / 100,
        }
    }
}

fn percent(text: &str) -> Option<u64> {
    text.strip_suffix('%')?.parse().ok().filter(|percent| *percent <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_all_is_rounded_down() {
        for (tolerated, total, expected) in [
            (Tolerated::Count(7), 3, 7),
            (Tolerated::Percent("5%".to_owned()), 199, 9),
            (Tolerated::Percent("0%".to_owned()), 1_000, 0),
            (Tolerated::Percent("100%".to_owned()), 1_000, 1_000),
        ] {
            assert_eq!(tolerated.of(total), expected, "{tolerated:?} of {total}");
        }
    }
}
