//! Which function is meant, and whether it may be invoked.

use std::fmt;

use crate::domain::wildcard::matches;

/// Characters of a name. Source: `Invoke` API reference.
const NAME_MAX_CHARS: usize = 64;

/// The one version with a dot in its name: the latest that was published.
const LATEST_PUBLISHED: &str = "$LATEST.PUBLISHED";

/// A function as `Invoke` takes it: a name, a partial ARN (with or without account and Region) or an ARN, each
/// perhaps with a version or alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionName {
    text: String,
    name: String,
    qualifier: Option<String>,
}

impl FunctionName {
    /// Errs where the text is none of the three forms.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no function; write its name, its ARN, or account:function:name, \
                 with :version or :alias where one is meant"
            )
        };
        let mut parts: Vec<&str> = text.split(':').collect();
        let is_arn = parts.first() == Some(&"arn");
        if is_arn {
            let is_of_lambda =
                matches!(parts.as_slice(), ["arn", partition, "lambda", ..] if partition.starts_with("aws"));
            if !is_of_lambda {
                return Err(wrong());
            }
            parts.drain(..3);
        }
        // Region, account and `function` may each be left out of a partial ARN, as in the API's pattern.
        let mut rest = parts.as_slice();
        let mut given = 0;
        if let [region, after @ ..] = rest
            && !after.is_empty()
            && is_region(region)
        {
            (rest, given) = (after, given + 1);
        }
        if let [account, after @ ..] = rest
            && !after.is_empty()
            && is_account(account)
        {
            (rest, given) = (after, given + 1);
        }
        if let ["function", after @ ..] = rest
            && !after.is_empty()
        {
            (rest, given) = (after, given + 1);
        }
        if is_arn && given < 3 {
            return Err(wrong());
        }
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some(*qualifier)),
            _ => return Err(wrong()),
        };
        if !is_name(name) || !qualifier.is_none_or(is_qualifier) {
            return Err(wrong());
        }
        Ok(Self { text: text.to_owned(), name: name.to_owned(), qualifier: qualifier.map(str::to_owned) })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As it was written, without the version or alias: versions share the function's room.
    pub fn unqualified(&self) -> &str {
        let length = self.qualifier.as_ref().map_or(0, |qualifier| qualifier.len() + 1);
        &self.text[..self.text.len() - length]
    }

    /// The name alone.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The one qualifier that a call sends: the field's, where the name has none. Errs where both are given
    /// and differ, or the field's is none.
    pub fn with_qualifier(&self, qualifier: Option<&str>) -> Result<Option<String>, String> {
        match (qualifier, &self.qualifier) {
            (None, _) => Ok(None),
            (Some(given), _) if !is_qualifier(given) => {
                Err(format!("qualifier: {given:?} is no version and no alias; leave it out or correct it"))
            }
            (Some(given), Some(own)) if given != own => Err(format!(
                "qualifier: {given:?} is not what {:?} says; give it in one of the two places",
                self.text
            )),
            (Some(_), Some(_)) => Ok(None),
            (Some(given), None) => Ok(Some(given.to_owned())),
        }
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_MAX_CHARS).contains(&text.len()) && text.bytes().all(is_word)
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let are_words = |parts: &[&str]| {
        parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    parts.len() >= 3 && parts.last().is_some_and(is_number) && are_words(&parts[..parts.len() - 1])
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_qualifier(text: &str) -> bool {
    if text == LATEST_PUBLISHED {
        return true;
    }
    let rest = text.strip_prefix('$').unwrap_or(text);
    (1..=128).contains(&text.len()) && !rest.is_empty() && rest.bytes().all(is_word)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The functions that may be invoked, by patterns of their names in which `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    patterns: Option<Vec<String>>,
    own: Option<String>,
}

impl Targets {
    /// Names that match one of the patterns, which commas part.
    pub fn matching(patterns: &str) -> Self {
        let patterns = patterns.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
        Self { patterns: Some(patterns.map(str::to_owned).collect()), own: None }
    }

    /// Every function that AWS lets the caller invoke.
    pub fn any() -> Self {
        Self { patterns: None, own: None }
    }

    /// All of these but the function itself.
    #[must_use]
    pub fn but_itself(&self, own: &str) -> Self {
        Self { own: Some(own.to_owned()), ..self.clone() }
    }

    /// Errs where a function may not be invoked, saying why.
    pub fn check(&self, function: &FunctionName) -> Result<(), String> {
        if self.own.as_deref() == Some(function.name()) {
            return Err(format!(
                "{function} is the fan-out itself, and would call itself without end; name another"
            ));
        }
        match &self.patterns {
            Some(patterns) if !patterns.iter().any(|pattern| matches(pattern, function.name())) => {
                Err(format!(
                    "{function} is not among the functions that may be invoked ({}); add it to the stack's FanOutTargets",
                    patterns.join(", ")
                ))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_a_name_an_arn_or_a_partial_arn() {
        let long = "f".repeat(64);
        for (text, name, qualifier) in [
            ("resize", "resize", None),
            ("resize:prod", "resize", Some("prod")),
            ("resize:$LATEST", "resize", Some("$LATEST")),
            ("resize:$LATEST.PUBLISHED", "resize", Some("$LATEST.PUBLISHED")),
            ("function:resize", "resize", None),
            ("function:resize:live", "resize", Some("live")),
            ("123456789012:function:resize", "resize", None),
            ("123456789012:resize", "resize", None),
            ("eu-west-1:123456789012:function:resize", "resize", None),
            ("us-gov-west-1:123456789012:function:resize:7", "resize", Some("7")),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:resize:$LATEST.PUBLISHED",
                "resize",
                Some("$LATEST.PUBLISHED"),
            ),
            ("123456789012:function:resize:7", "resize", Some("7")),
            ("arn:aws:lambda:eu-west-1:123456789012:function:resize", "resize", None),
            ("arn:aws-cn:lambda:cn-north-1:123456789012:function:a_b-c:live", "a_b-c", Some("live")),
            (long.as_str(), long.as_str(), None),
        ] {
            let function = FunctionName::parse(text).unwrap();
            assert_eq!(
                (function.as_str(), function.name(), function.qualifier.as_deref()),
                (text, name, qualifier)
            );
            assert!(function.unqualified().ends_with(name), "{}", function.unqualified());
        }
    }

    #[test]
    fn what_is_none_of_them_is_refused() {
        let too_long = "f".repeat(65);
        for text in [
            "",
            "a b",
            "a:b:c",
            "a:",
            ":a",
            "12:function:a",
            "arn:aws:s3:::bucket",
            too_long.as_str(),
            "arn:aws:lambda:eu-west-1:12345678901x:function:a",
            "arn:aws:lambda::123456789012:function:a",
            "a:$",
            "123456789012:function:a:b:c",
        ] {
            let error = FunctionName::parse(text).unwrap_err();
            assert!(error.starts_with(&format!("{text:?} is no function; write its name")), "{error}");
        }
    }

    #[test]
    fn a_qualifier_is_given_once() {
        let plain = FunctionName::parse("f").unwrap();
        let qualified = FunctionName::parse("f:7").unwrap();
        assert_eq!(plain.with_qualifier(Some("live")), Ok(Some("live".to_owned())));
        assert_eq!(plain.with_qualifier(None), Ok(None));
        assert_eq!(qualified.with_qualifier(Some("7")), Ok(None));
        assert!(qualified.with_qualifier(Some("8")).unwrap_err().contains("in one of the two places"));
        assert!(plain.with_qualifier(Some("a b")).unwrap_err().contains("no version and no alias"));
    }

    #[test]
    fn patterns_say_what_may_be_invoked() {
        for (patterns, name, allowed) in [
            ("resize", "resize", true),
            ("resize", "resize2", false),
            ("task-*", "task-", true),
            ("task-*", "my-task-1", false),
            ("a, *-task-*", "my-task-1", true),
            ("*", "anything", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*ba", "aba", false),
            ("", "a", false),
        ] {
            let function = FunctionName::parse(name).unwrap();
            assert_eq!(Targets::matching(patterns).check(&function).is_ok(), allowed, "{patterns} {name}");
        }
        let arn = FunctionName::parse("arn:aws:lambda:eu-west-1:123456789012:function:task-1:live").unwrap();
        assert_eq!(Targets::matching("task-*").check(&arn), Ok(()));
        assert_eq!(Targets::any().check(&arn), Ok(()));
    }

    #[test]
    fn it_is_never_its_own_target() {
        let targets = Targets::matching("*").but_itself("fan-out");
        for text in ["fan-out", "fan-out:7", "arn:aws:lambda:eu-west-1:123456789012:function:fan-out"] {
            let error = targets.check(&FunctionName::parse(text).unwrap()).unwrap_err();
            assert!(error.contains("is the fan-out itself"), "{error}");
        }
        assert_eq!(targets.check(&FunctionName::parse("fan-out-2").unwrap()), Ok(()));
    }
}
