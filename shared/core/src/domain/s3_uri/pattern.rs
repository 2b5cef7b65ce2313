//! Patterns that keys are held against.

/// A pattern of keys.
///
/// `*` stands for any text without a slash, `?` for one character that is no slash, `[a-z]` for one of
/// these, `[!a-z]` for one that is none of these and no slash, `**` between slashes for any number of
/// folders, none too, and at the end for everything. `\` takes the meaning from what follows it. Upper and lower
/// case differ. The whole key has to match; of a pattern without a slash, the key's last part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
    /// Whether only what follows the last slash of a key is looked at.
    is_of_name: bool,
}

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?} is no pattern: {why}")]
pub struct InvalidPattern {
    pattern: String,
    why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Run,
    /// `[…]`
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// `**/`
    Folders,
    /// `**` at the end
    Rest,
}

const STARS: &str = "** stands between slashes; write * for text without a slash";
const OPEN: &str = "a [ has no ]; write \\[ for the character itself";
const EMPTY: &str = "a range runs backwards; write the smaller character first";
const ESCAPE: &str = "a \\ stands at the end; write \\\\ for the character itself";

impl Pattern {
    /// Errs where a `[` or a `\` has no end, and where `**` shares its place between slashes.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let tokens = tokens(text).map_err(|why| InvalidPattern { pattern: text.to_owned(), why })?;
        let is_of_name = !text.contains('/') && !tokens.contains(&Token::Rest);
        Ok(Self { text: text.to_owned(), tokens, is_of_name })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What every key that matches begins with.
    pub fn literal_prefix(&self) -> String {
        let literal = self.tokens.iter().map_while(|token| match token {
            Token::Char(c) if !self.is_of_name => Some(*c),
            _ => None,
        });
        literal.collect()
    }

    /// Whether a key matches. Takes time in proportion to the product of both lengths.
    pub fn matches(&self, key: &str) -> bool {
        let key = if self.is_of_name { key.rsplit('/').next().unwrap_or(key) } else { key };
        let mut places = Places::new(self.tokens.len());
        places.reach(&self.tokens, 0);
        for c in key.chars() {
            let mut next = Places::new(self.tokens.len());
            for (at, token) in self.tokens.iter().enumerate() {
                places.step(&self.tokens, at, token, c, &mut next);
            }
            places = next;
        }
        places.before[self.tokens.len()]
    }
}

/// Where in the pattern a key may be, all places at once.
struct Places {
    /// Before a token, or at the end.
    before: Vec<bool>,
    /// Inside a folder that `**` stands for.
    within: Vec<bool>,
}

impl Places {
    fn new(tokens: usize) -> Self {
        Self { before: vec![false; tokens + 1], within: vec![false; tokens + 1] }
    }

    /// Comes before a token, and before the next where this one may stand for nothing.
    fn reach(&mut self, tokens: &[Token], mut at: usize) {
        self.before[at] = true;
        while matches!(tokens.get(at), Some(Token::Run | Token::Folders | Token::Rest)) {
            at += 1;
            self.before[at] = true;
        }
    }

    fn step(&self, tokens: &[Token], at: usize, token: &Token, c: char, next: &mut Self) {
        if self.within[at] || (self.before[at] && *token == Token::Folders) {
            match c {
                '/' => next.reach(tokens, at),
                _ => next.within[at] = true,
            }
        }
        if !self.before[at] {
            return;
        }
        match token {
            Token::Char(wanted) if *wanted == c => next.reach(tokens, at + 1),
            Token::One if c != '/' => next.reach(tokens, at + 1),
            Token::Class { is_negated, ranges }
                if c != '/' && ranges.iter().any(|&(from, to)| (from..=to).contains(&c)) != *is_negated =>
            {
                next.reach(tokens, at + 1);
            }
            Token::Run if c != '/' => next.reach(tokens, at),
            Token::Rest => next.reach(tokens, at),
            _ => {}
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let token = match c {
            '\\' => Token::Char(rest.next().ok_or(ESCAPE)?),
            '?' => Token::One,
            '[' => class(&mut rest)?,
            '*' if rest.next_if_eq(&'*').is_some() => {
                let starts = matches!(tokens.last(), None | Some(Token::Char('/') | Token::Folders));
                match rest.next() {
                    None if starts => Token::Rest,
                    Some('/') if starts => Token::Folders,
                    _ => return Err(STARS),
                }
            }
            '*' => Token::Run,
            c => Token::Char(c),
        };
        tokens.push(token);
    }
    Ok(tokens)
}

/// What follows a `[`. A `]` that comes first belongs to the class.
fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    let is_negated = rest.next_if(|c| matches!(c, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let from = match rest.next().ok_or(OPEN)? {
            ']' if !ranges.is_empty() => return Ok(Token::Class { is_negated, ranges }),
            '\\' => rest.next().ok_or(OPEN)?,
            c => c,
        };
        let mut ahead = rest.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) if to != ']' => {
                rest.next();
                rest.next();
                if to == '\\' { rest.next().ok_or(OPEN)? } else { to }
            }
            _ => from,
        };
        if to < from {
            return Err(EMPTY);
        }
        ranges.push((from, to));
    }
}

/// The pattern of a text that means nothing but itself.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_match_or_do_not() {
        for (pattern, matching, others) in [
            (
                "a/*.json",
                &["a/b.json", "a/.json"][..],
                &["a/b/c.json", "a/b.jsonl", "b.json", "A/b.json"][..],
            ),
            (
                "**/*.json",
                &["b.json", "a/b.json", "a/b/c.json", "/b.json", "a//b.json"],
                &["a/b.jsonl", "json"],
            ),
            ("a/**/b", &["a/b", "a/x/b", "a/x/y/b", "a//b"], &["ab", "a/xb", "a/b/c", "x/a/b"]),
            ("a/**", &["a/b", "a/b/c", "a/"], &["a", "ab"]),
            ("**", &["", "a", "a/b", "/"], &[]),
            ("**/**/x", &["x", "a/x", "a/b/c/x"], &["ax"]),
            ("a/**/b/**/c", &["a/b/c", "a/1/b/2/3/c", "a/b/b/c/c"], &["a/c/b", "a/1/c"]),
            ("a/?", &["a/b", "a/\u{e9}"], &["a/", "a/bc", "a//"]),
            ("a/[b-d]x", &["a/bx", "a/dx"], &["a/ax", "a/ex", "a/x"]),
            ("a/[!b-d]x", &["a/ax", "a/\u{e9}x"], &["a/bx", "a//x"]),
            ("a/[]-]", &["a/]", "a/-"], &["a/["]),
            ("a/[\\]a]", &["a/]", "a/a"], &["a/\\"]),
            ("*.json", &["b.json", "a/b.json", "a/b/c.json"], &["b.json/x", "b.jsonl"]),
            ("\\*/\\?\\[\\\\", &["*/?[\\"], &["a/?[\\", "*/a[\\"]),
            ("a*b*c/", &["abc/", "aXbXbc/"], &["abc", "ab/c/"]),
            ("/a", &["/a"], &["a"]),
            ("e\u{301}/x", &["e\u{301}/x"], &["\u{e9}/x"]),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            for key in matching {
                assert!(parsed.matches(key), "{pattern} {key}");
            }
            for key in others {
                assert!(!parsed.matches(key), "{pattern} {key}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_remedy() {
        for (bad, why) in [
            ("a**/b", STARS),
            ("a/**b", STARS),
            ("***", STARS),
            ("a/[b", OPEN),
            ("[]", OPEN),
            ("[z-a]", EMPTY),
            ("a\\", ESCAPE),
        ] {
            let error = Pattern::parse(bad).unwrap_err().to_string();
            assert_eq!(error, format!("{bad:?} is no pattern: {why}"));
        }
    }

    #[test]
    fn a_pattern_says_what_its_keys_begin_with() {
        for (pattern, prefix) in [
            ("a/b/**/*.json", "a/b/"),
            ("a/b*", "a/b"),
            ("*.json", ""),
            ("x", ""),
            ("a\\*/b", "a*/b"),
            ("**/a", ""),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().literal_prefix(), prefix, "{pattern}");
        }
    }

    #[test]
    fn many_stars_take_no_longer_than_their_number() {
        let pattern = Pattern::parse(&format!("{}b/", "*a".repeat(200))).unwrap();
        assert!(!pattern.matches(&"a".repeat(1_024)));
    }

    proptest! {
        #[test]
        fn an_escaped_text_matches_itself_alone(text in "[a*?/\\[\\]\\\\]{1,8}", other in "[a*?/\\[\\]\\\\]{1,8}") {
            let pattern = Pattern::parse(&format!("/{}", escaped(&text))).unwrap();
            let (text, other) = (format!("/{text}"), format!("/{other}"));
            prop_assert!(pattern.matches(&text));
            prop_assert_eq!(pattern.matches(&other), text == other);
        }

        #[test]
        fn keys_begin_with_the_literal_prefix(pattern in "[ab/*?]{1,8}", key in "[ab/]{0,8}") {
            if let Some(pattern) = Pattern::parse(&pattern).ok().filter(|pattern| pattern.matches(&key)) {
                prop_assert!(key.starts_with(&pattern.literal_prefix()));
            }
        }
    }
}
