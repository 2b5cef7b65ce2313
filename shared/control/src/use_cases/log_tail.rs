//! The last lines of a log, in bounded memory.

use std::collections::VecDeque;

/// Bytes of a line that are kept. A line of CloudWatch Logs has up to 1 MB, and one on a machine any length.
const LINE_MAX_BYTES: usize = 4 * 1024;

/// The last lines of a log, long ones cut.
#[derive(Debug)]
pub struct LogTail {
    most: usize,
    lines: VecDeque<String>,
}

impl LogTail {
    /// Of so many lines.
    pub fn of(most: usize) -> Self {
        Self { most, lines: VecDeque::with_capacity(most) }
    }

    /// Takes the next line; the oldest gives way. Of one of more than 4 KiB the rest is told by its length.
    pub fn push(&mut self, line: &str) {
        if self.lines.len() == self.most {
            self.lines.pop_front();
        }
        let kept = &line[..line.floor_char_boundary(LINE_MAX_BYTES)];
        let rest = line.len() - kept.len();
        self.lines.push_back(if rest == 0 {
            line.to_owned()
        } else {
            format!("{kept}… ({rest} bytes more)")
        });
    }

    /// The lines, oldest first.
    pub fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_long_ones_cut() {
        let mut tail = LogTail::of(2);
        let long = format!("a{}", "ä".repeat(LINE_MAX_BYTES));
        for line in ["one", "two", &long] {
            tail.push(line);
        }
        let lines = tail.into_lines();
        assert_eq!((lines.len(), lines[0].as_str()), (2, "two"));
        assert!(
            lines[1].starts_with("aä") && lines[1].ends_with("ä… (4098 bytes more)"),
            "{}",
            lines[1].len()
        );
        assert!(lines[1].len() < LINE_MAX_BYTES + 30);
    }
}
