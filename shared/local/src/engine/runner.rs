//! What runs attempts: processes, or a script that says how they end.

use tokio::sync::mpsc;

use super::LogDirectory;
use super::core::{AttemptId, Ended, Launch, Signal};

/// What a runner tells of its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The command runs.
    Started(AttemptId),
    /// The attempt has ended, and its log is complete.
    Ended(AttemptId, Ended),
}

/// Where reports go. Unbounded, and yet short: an attempt sends two reports, and only as many
/// attempts run as the vCPUs allow.
pub type Reports = mpsc::UnboundedSender<Report>;

/// Runs attempts. No call blocks; what comes of it is reported.
///
/// Dropped, a runner reports nothing more, and leaves running what can run on without it.
pub trait Runner: Send + 'static {
    /// Starts an attempt. A start that fails is reported as its end.
    fn start(&mut self, launch: Launch, reports: &Reports);

    /// Finds out what became of the attempts that an engine before this one began, and goes on watching
    /// those that still run. Never starts one. Called once, before any other call: these are all
    /// attempts that matter still.
    fn resume(&mut self, launches: Vec<Launch>, reports: &Reports);

    /// Whether it runs the images of jobs that have one. An image may say what it runs; otherwise a job needs a command.
    fn runs_images(&self) -> bool {
        false
    }

    /// Where its attempts' logs are; `None` where they write none.
    fn logs(&self) -> Option<LogDirectory>;

    /// Signals all processes of an attempt. One that has ended is left alone.
    fn signal(&mut self, attempt: &AttemptId, signal: Signal);

    /// An attempt's end is in the books: what was kept of it to tell the end can go.
    fn settled(&mut self, attempt: &AttemptId);
}
