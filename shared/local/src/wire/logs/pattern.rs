//! The filter patterns for plain text: terms and phrases that must, may or must not be there.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

/// Texts that a message is looked through for, by case and in any order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    /// Reads terms, phrases in quotation marks, and both behind `?` or `-`.
    ///
    /// Errs where the pattern is of another kind: JSON, fields, regular expressions.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pattern = Self::default();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let (terms, behind) = match first {
                '?' => (&mut pattern.any, &rest[1..]),
                '-' => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = term(behind, text)?;
            terms.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    /// Whether a message is wanted. Where terms must be there, those that may are of no account, as in AWS.
    pub(super) fn matches(&self, message: &str) -> bool {
        let holds = |term: &String| message.contains(term);
        let is_found = match (self.all.is_empty(), self.any.is_empty()) {
            (false, _) => self.all.iter().all(holds),
            (true, false) => self.any.iter().any(holds),
            (true, true) => true,
        };
        is_found && !self.none.iter().any(holds)
    }
}

/// The first term of a text, and what follows it.
fn term<'a>(text: &'a str, pattern: &str) -> Result<(&'a str, &'a str), String> {
    if let Some(quoted) = text.strip_prefix('"') {
        let closed = quoted.split_once('"');
        return closed
            .ok_or_else(|| format!("the quotation mark in filterPattern {pattern:?} is not closed"));
    }
    let (term, after) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    if term.is_empty() || !term.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(format!(
            "filterPattern {pattern:?}: only terms of letters, digits and '_', and phrases in quotation marks, are understood here, also behind '?' or '-'"
        ));
    }
    Ok((term, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_and_phrases_must_may_or_must_not_be_there() {
        for (pattern, message, expected) in [
            ("", "anything", true),
            ("ERROR", "an ERROR came", true),
            ("ERROR", "an error came", false),
            ("came ERROR", "an ERROR came", true),
            ("came gone", "an ERROR came", false),
            ("\"ERROR came\"", "an ERROR came", true),
            ("\"came ERROR\"", "an ERROR came", false),
            ("\"a-b\" c", "c a-b", true),
            ("?ERROR ?WARN", "a WARN", true),
            ("?ERROR ?\"a WARN\"", "a WARN", true),
            ("?ERROR ?WARN", "an INFO", false),
            ("?gone ERROR", "an ERROR", true),
            ("-ERROR", "an ERROR", false),
            ("-ERROR", "an INFO", true),
            ("an -\"ERROR 7\"", "an ERROR 7", false),
            ("an -\"ERROR 7\"", "an ERROR 8", true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(message), expected, "{pattern} {message}");
        }
    }

    #[test]
    fn other_patterns_are_refused_and_not_misread() {
        for pattern in ["{ $.a = 1 }", "[a, b]", "%a%", "a-b", "? a", "-", "?-a"] {
            assert!(Pattern::parse(pattern).unwrap_err().contains("understood here"), "{pattern}");
        }
        assert!(Pattern::parse("\"a").unwrap_err().contains("is not closed"));
        assert!(Pattern::parse("?\"a").unwrap_err().contains("is not closed"));
    }
}
