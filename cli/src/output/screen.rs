//! Where overviews go: a terminal shows one in place, elsewhere each change is a line. On stderr.

use std::io::{IsTerminal, stderr};

use batchwright::domain::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};

use super::overview::Overview;

/// A bar over the lines that a key of the style tells.
pub(super) fn bar_over(lines: &str) -> ProgressStyle {
    let style =
        ProgressStyle::with_template(&format!("{{wide_bar}} {{pos}}/{{len}} {{elapsed}}\n{{{lines}}}"));
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Where one overview after the other is shown.
pub(crate) struct Screen {
    bar: Option<ProgressBar>,
    told: String,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let bar = stderr().is_terminal().then(|| ProgressBar::new(0).with_style(bar_over("msg")));
        Self { bar, told: String::new() }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.bar.is_some()
    }

    pub(crate) fn show(&mut self, overview: &Overview, now: Timestamp) {
        let line = overview.line();
        match &self.bar {
            Some(bar) => {
                bar.set_length(overview.total());
                bar.set_position(overview.ended());
                bar.set_message(overview.block(now));
            }
            None if line != self.told => eprintln!("{line}"),
            None => {}
        }
        self.told = line;
    }

    /// A line that stays, above what is shown in place.
    #[cfg(feature = "aws")]
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
