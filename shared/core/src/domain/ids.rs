//! Names and ids, each checked when it is made.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::limits::JOB_NAME_MAX_CHARS;
use super::times::Timestamp;

/// Why a text is not a valid name or id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {found:?} {why}")]
pub struct InvalidId {
    what: &'static str,
    found: String,
    why: String,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = $pattern)))]
        pub struct $name(String);

        impl $name {
            /// The regular expression of JSON Schema that says what `parse` accepts.
            pub const PATTERN: &str = $pattern;

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }
    };
}

text_id! {
    /// A job's name: its identity. 1 to 128 letters, digits, `_` and `-`, the first a letter or digit.
    JobName, "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"
}

impl JobName {
    /// Checks a name by AWS Batch's rule.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let wrong = |why: String| InvalidId { what: "job name", found: shorten(text), why };
        if text.is_empty() {
            return Err(wrong("is empty".into()));
        }
        let length = text.chars().count();
        if length > JOB_NAME_MAX_CHARS {
            return Err(wrong(format!("has {length} characters, at most {JOB_NAME_MAX_CHARS} are allowed")));
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(wrong("does not start with a letter or digit".into()));
        }
        match text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
            Some(c) => Err(wrong(format!("contains {c:?}; letters, digits, '_' and '-' are allowed"))),
            None => Ok(Self(text.to_owned())),
        }
    }
}

text_id! {
    /// The id that AWS Batch gives a submission: a UUID, with `:<index>` for an array child and
    /// `#<node>` for a node of a multi-node job.
    JobId, "^[!-~]{1,128}$"
}

impl JobId {
    /// Accepts any id that could be one of Batch's: 1 to 128 visible ASCII characters.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let wrong = |why: &str| InvalidId { what: "job id", found: shorten(text), why: why.into() };
        if text.is_empty() {
            return Err(wrong("is empty"));
        }
        if text.len() > 128 {
            return Err(wrong("is longer than 128 characters"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("contains white space or what is not ASCII"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The id of the array or multi-node job that this is a child or node of.
    pub fn parent(&self) -> Option<JobId> {
        self.0.rsplit_once([':', '#']).map(|(parent, _)| Self(parent.to_owned()))
    }

    /// The id that belongs to a submission of its own: the parent's, or else this one.
    pub fn root(&self) -> JobId {
        self.parent().unwrap_or_else(|| self.clone())
    }

    /// The index of an array child.
    pub fn array_index(&self) -> Option<u32> {
        self.0.rsplit_once(':').and_then(|(_, index)| index.parse().ok())
    }

    /// The id of this array's child with the given index.
    pub fn array_child(&self, index: u32) -> JobId {
        Self(format!("{}:{index}", self.0))
    }

    /// The id of a node of this multi-node job.
    pub fn node(&self, index: u32) -> JobId {
        Self(format!("{}#{index}", self.0))
    }
}

text_id! {
    /// The id of a run: the jobs of one job file.
    RunId, "^[A-Za-z0-9_.-]{1,128}$"
}

impl RunId {
    /// Accepts 1 to 128 letters, digits, `_`, `-` and `.`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let wrong = |why: &str| InvalidId { what: "run id", found: shorten(text), why: why.into() };
        if text.is_empty() || text.len() > 128 {
            return Err(wrong("must have 1 to 128 characters"));
        }
        if text.chars().any(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))) {
            return Err(wrong("may hold only letters, digits, '_', '-' and '.'"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The run of one version of one source, started at one moment: the same three give the same id,
    /// so that a notification delivered twice is one run.
    pub fn derive(source: &str, version: &str, moment: &str) -> RunId {
        Self(format!("run-{}", &hex_digest(&[source, version, moment])[..24]))
    }
}

text_id! {
    /// What marks one claim's submission, in the job's `parameters`: made from the job's name, its head's
    /// seed and the number of the claim, so that any listing of Batch's tells which claim a job id belongs to.
    Nonce, "^[0-9]+-[0-9A-Fa-f]{16}$"
}

impl Nonce {
    /// The parameter that carries the nonce. It comes back in `DescribeJobs` and in events.
    pub const PARAMETER: &'static str = "batchwright.nonce";

    /// The seed of the head that a run's claim makes. Another store's head of the same name has another
    /// one, and so has the head that is made after a job was removed: what they submit is not ours to end.
    pub fn seed(run_id: &RunId, now: Timestamp) -> String {
        hex_digest(&[run_id.as_str(), &now.as_millis().to_string()])[..16].to_owned()
    }

    /// The nonce of a job's n-th claim.
    pub fn derive(job: &JobName, seed: &str, claim: u32) -> Nonce {
        Self(format!("{claim}-{}", &hex_digest(&[job.as_str(), seed, &claim.to_string()])[..16]))
    }

    /// Whether it is the nonce of one of a job's first `claims` claims.
    pub(crate) fn is_of(&self, job: &JobName, seed: &str, claims: u32) -> bool {
        let number = self.0.split_once('-').and_then(|(claim, _)| claim.parse().ok());
        number
            .is_some_and(|number| (1..=claims).contains(&number) && Self::derive(job, seed, number) == *self)
    }

    /// Accepts what [`Nonce::derive`] makes: a number, a hyphen, 16 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let valid = text.split_once('-').is_some_and(|(claim, hash)| {
            claim.parse::<u32>().is_ok() && hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit())
        });
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId { what: "nonce", found: shorten(text), why: "is not one of ours".into() })
        }
    }
}

/// The SHA-256 of the parts, each ended by a zero byte, in hexadecimal.
pub fn hex_digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    // Every event and submission makes some: a text for each byte took a twentieth of a simulated job's time.
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]));
    hash.finalize().iter().flat_map(digits).collect()
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 140;
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_names_follow_batchs_rule() {
        for good in ["a", "7", "A-b_c", &"x".repeat(128)] {
            assert!(JobName::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", "is empty"),
            ("-a", "does not start with a letter or digit"),
            ("a b", "contains ' '"),
            ("a.b", "contains '.'"),
            ("ä", "does not start with a letter or digit"),
            (&"x".repeat(129), "has 129 characters, at most 128 are allowed"),
        ] {
            let error = JobName::parse(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{bad:?}: {error}");
        }
    }

    #[test]
    fn a_child_knows_its_parent_and_index() {
        let child = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8:12").unwrap();
        assert_eq!(child.parent().unwrap().as_str(), "4c7599ae-0a82-49aa-ba5a-4727fcce14a8");
        assert_eq!(child.array_index(), Some(12));
        assert_eq!(child.root().array_child(12), child);
        let node = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8#3").unwrap();
        assert_eq!(node.root(), child.root());
        assert_eq!(node.array_index(), None);
    }

    #[test]
    fn a_nonce_depends_on_name_seed_and_claim_alone() {
        let [name, other] = ["tile-7", "tile-8"].map(|text| JobName::parse(text).unwrap());
        let nonce = Nonce::derive(&name, "seed", 2);
        assert_eq!(nonce, Nonce::derive(&name, "seed", 2));
        assert_ne!(nonce, Nonce::derive(&name, "seed", 3));
        assert_ne!(nonce, Nonce::derive(&other, "seed", 2));
        assert_ne!(nonce, Nonce::derive(&name, "another", 2));
        assert_eq!(Nonce::parse(nonce.as_str()).unwrap(), nonce);
        assert!(nonce.is_of(&name, "seed", 2) && nonce.is_of(&name, "seed", 7));
        assert!(!nonce.is_of(&name, "seed", 1), "that claim has not been made");
        assert!(!nonce.is_of(&other, "seed", 2) && !nonce.is_of(&name, "another", 2));
    }
}
