//! What a function writes to its log.

use tracing::Level;

/// Sends every `tracing` event of INFO and above to standard output, as one JSON object a line with
/// `timestamp`, `level`, `message` and the dotted fields at its top.
pub(super) fn start() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_max_level(Level::INFO)
        .with_writer(std::io::stdout)
        .init();
}
