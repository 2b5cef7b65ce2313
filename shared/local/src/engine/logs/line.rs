//! One event as it is written, and how raw output is cut into lines.

use serde::{Deserialize, Serialize};

use crate::ports::LogEvent;

/// The longest line in bytes; a longer one becomes several events. Amazon CloudWatch Logs: 256 KB.
pub(crate) const LINE_MAX_BYTES: usize = 256 * 1024;

/// A line of a stream's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredEvent {
    #[serde(flatten)]
    pub(crate) event: LogEvent,
    /// How much of the raw output is taken in with this event.
    pub(crate) output_offset: u64,
}

/// The first line of raw output, without its line break, and how many bytes it takes up. `None` where
/// the line is not whole yet and there may be `more`.
pub(crate) fn first_line(output: &[u8], more: bool) -> Option<(&[u8], usize)> {
    let window = &output[..output.len().min(LINE_MAX_BYTES + 1)];
    if let Some(end) = window.iter().position(|&byte| byte == b'\n') {
        let line = &output[..end];
        return Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1));
    }
    if output.len() > LINE_MAX_BYTES {
        let end = character_boundary(output, LINE_MAX_BYTES);
        return Some((&output[..end], end));
    }
    (!more && !output.is_empty()).then_some((output, output.len()))
}

/// The last place at or before `at` where no UTF-8 character is cut in two.
fn character_boundary(text: &[u8], at: usize) -> usize {
    let is_start = |place: &usize| text[*place] & 0b1100_0000 != 0b1000_0000;
    (at.saturating_sub(3)..=at).rev().find(is_start).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_at_line_breaks() {
        type Cut<'a> = Option<(&'a [u8], usize)>;
        let table: [(&[u8], bool, Cut<'_>); 6] = [
            (b"a\nb", true, Some((b"a", 2))),
            (b"a\r\nb", true, Some((b"a", 3))),
            (b"\n", true, Some((b"", 1))),
            (b"part", true, None),
            (b"part", false, Some((b"part", 4))),
            (b"", false, None),
        ];
        for (output, more, expected) in table {
            assert_eq!(first_line(output, more), expected, "{output:?} {more}");
        }
    }

    #[test]
    fn a_line_too_long_is_cut_between_characters() {
        let mut output = vec![b'x'; LINE_MAX_BYTES - 1];
        output.extend("äö".bytes());
        let (line, taken) = first_line(&output, true).unwrap();
        assert_eq!((line.len(), taken), (LINE_MAX_BYTES - 1, LINE_MAX_BYTES - 1));
        assert_eq!(first_line(&output[taken..], false), Some(("äö".as_bytes(), 4)));
        let whole = [vec![b'x'; LINE_MAX_BYTES], b"\n".to_vec()].concat();
        assert_eq!(first_line(&whole, true).unwrap().1, LINE_MAX_BYTES + 1, "a line of full length is whole");
    }
}
