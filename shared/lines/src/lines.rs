//! The lines of a file, each within a limit.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Reads lines in constant memory.
pub struct Lines {
    most: usize,
    number: u64,
    line: Vec<u8>,
}

/// A line without its end.
pub enum Line<'a> {
    /// Its number, from 1, and its bytes.
    Of(u64, &'a [u8]),
    /// The number of a line over the limit.
    TooLong(u64),
}

impl Lines {
    /// Lines of at most so many bytes.
    pub fn of_at_most(most: usize) -> Self {
        Self { most, number: 0, line: Vec::new() }
    }

    /// The next line, `None` at the end.
    pub async fn next(&mut self, reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut too_long = false;
        let mut any = false;
        loop {
            let chunk = reader.fill_buf().await?;
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            too_long |= self.line.len() + part.len() > self.most;
            if !too_long {
                self.line.extend_from_slice(part);
            }
            let consumed = part.len() + usize::from(end.is_some());
            reader.consume(consumed);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(if too_long { Line::TooLong(self.number) } else { Line::Of(self.number, &self.line) }))
    }
}
