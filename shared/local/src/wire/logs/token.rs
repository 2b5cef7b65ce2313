//! Page tokens of `GetLogEvents`, in the form that AWS's have.

/// A place in a stream, in bytes, and which way from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Forward(u64),
    Backward(u64),
}

impl Token {
    pub(super) fn text(self) -> String {
        match self {
            Self::Forward(offset) => format!("f/{offset:056}/s"),
            Self::Backward(offset) => format!("b/{offset:056}/s"),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (way, rest) = text.split_once('/')?;
        let offset = rest.strip_suffix("/s").unwrap_or(rest).parse().ok()?;
        match way {
            "f" => Some(Self::Forward(offset)),
            "b" => Some(Self::Backward(offset)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back_and_others_are_not() {
        for token in [Token::Forward(0), Token::Backward(u64::MAX)] {
            assert_eq!(Token::parse(&token.text()), Some(token));
        }
        for text in ["", "f", "f/", "f/x/s", "x/1/s", "f/-1/s"] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }
}
