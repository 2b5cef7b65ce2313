//! The simple filter patterns: terms that must all be there.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

/// Texts that a message must hold, in any order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    terms: Vec<String>,
}

impl Pattern {
    /// Reads terms, and phrases in quotation marks.
    ///
    /// Errs where the pattern is of another kind: JSON, fields, regular expressions, `?` and `-`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (term, after) = match rest.strip_prefix('"') {
                Some(quoted) => {
                    let closed = quoted.split_once('"');
                    closed.ok_or_else(|| {
                        format!("the quotation mark in filterPattern {text:?} is not closed")
                    })?
                }
                None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
            };
            let is_plain = term.chars().all(|c| c.is_alphanumeric() || c == '_');
            if !rest.starts_with('"') && !is_plain {
                return Err(format!(
                    "filterPattern {text:?}: only terms of letters, digits and '_', and phrases in quotation marks, are understood here"
                ));
            }
            terms.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(Self { terms })
    }

    /// Whether a message holds all of the terms, by case.
    pub(super) fn matches(&self, message: &str) -> bool {
        self.terms.iter().all(|term| message.contains(term))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_terms_and_phrases_must_be_there() {
        for (pattern, message, expected) in [
            ("", "anything", true),
            ("ERROR", "an ERROR came", true),
            ("ERROR", "an error came", false),
            ("came ERROR", "an ERROR came", true),
            ("came gone", "an ERROR came", false),
            ("\"ERROR came\"", "an ERROR came", true),
            ("\"came ERROR\"", "an ERROR came", false),
            ("\"a-b\" c", "c a-b", true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(message), expected, "{pattern} {message}");
        }
    }

    #[test]
    fn other_patterns_are_refused_and_not_misread() {
        for pattern in ["{ $.a = 1 }", "[a, b]", "?a ?b", "-a", "%a%", "a-b"] {
            assert!(Pattern::parse(pattern).unwrap_err().contains("understood here"), "{pattern}");
        }
        assert!(Pattern::parse("\"a").unwrap_err().contains("is not closed"));
    }
}
