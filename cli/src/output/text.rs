//! Text of others, shown so that it is text: a job's name, a reason or a log line may hold what a terminal obeys.

use std::borrow::Cow;

/// One line, with everything escaped that would move the cursor, change colours, end the line or turn the
/// direction of the text.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// As [`harmless`], but text of several lines stays text of several lines.
pub(crate) fn harmless_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c == '\n')
}

/// As [`harmless`], but a tabulator stays one: in a log it is a column.
pub(crate) fn harmless_log(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c == '\t')
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_harmful = |c: char| (c.is_control() || is_invisible(c)) && !is_kept(c);
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_harmful(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Marks without a shape that change how their neighbours are shown. The joiners (U+200C, U+200D) are left alone,
/// because Persian, Indic scripts and emoji need them.
///
/// Source: <https://www.unicode.org/reports/tr9/> and <https://www.unicode.org/reports/tr36/>.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_as_text() {
        for (text, shown) in [
            ("plain, ä, 漢字, 👩‍🚀", "plain, ä, 漢字, 👩‍🚀"),
            ("\x1b[2J\x1b[1;32mSUCCEEDED\x1b[0m", "\\u{1b}[2J\\u{1b}[1;32mSUCCEEDED\\u{1b}[0m"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("a\r\nb\tc\u{0}", "a\\r\\nb\\tc\\u{0}"),
            ("\u{9b}31m\u{85}", "\\u{9b}31m\\u{85}"),
            (
                "gpj.\u{202e}exe\u{2066}\u{200b}\u{feff}\u{2028}",
                "gpj.\\u{202e}exe\\u{2066}\\u{200b}\\u{feff}\\u{2028}",
            ),
        ] {
            assert_eq!(harmless(text), shown);
        }
        assert_eq!(harmless_lines("a\n\x1bb\tc"), "a\n\\u{1b}b\\tc");
        assert_eq!(harmless_log("a\tb\r"), "a\tb\\r");
    }
}
