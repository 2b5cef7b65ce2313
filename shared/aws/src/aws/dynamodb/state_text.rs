//! A state as the text that its item holds: short, because an item of up to 1 KB is half as dear as a larger one, and
//! bounded, because an item holds 400 KB.

use std::borrow::Cow;

use crate::domain::{Attempt, JobState, LogStream};

/// Bytes of a state as JSON. Batch's own are a few kilobytes: ten attempts of ten containers are 20 KB.
const MAX_BYTES: usize = 100 * 1024;

/// Characters of a text that somebody else wrote, where it has to be cut.
const TEXT_MAX_CHARS: usize = 2_000;

/// The text, and whether [`restore`] has to be asked for what was left out of it.
///
/// A stream that an attempt names is not named twice, and how the last attempt ended is not said twice where the job has
/// ended so. Of a state that is too long the oldest attempts go first, then log streams, and long texts are cut.
pub(super) fn write(state: &JobState) -> Result<(String, bool), serde_json::Error> {
    let is_named =
        |stream: &LogStream| state.attempts.iter().any(|attempt| attempt.log_streams.contains(stream));
    let mut short = Cow::Borrowed(state);
    if state.log_streams.iter().any(is_named) {
        short.to_mut().log_streams.retain(|stream| !is_named(stream));
    }
    let ended_so = ended_as_its_last_attempt(state);
    if ended_so && let Some(last) = short.to_mut().attempts.last_mut() {
        *last = Attempt { log_streams: std::mem::take(&mut last.log_streams), ..Attempt::default() };
    }
    let whole = serde_json::to_string(&short)?;
    if whole.len() <= MAX_BYTES {
        return Ok((whole, ended_so));
    }
    Ok((cut_down(state)?, false))
}

/// Says again how the last attempt ended.
pub(super) fn restore(state: &mut JobState) {
    let end = end_of(state);
    if let Some(last) = state.attempts.last_mut() {
        *last = Attempt { log_streams: std::mem::take(&mut last.log_streams), ..end };
    }
}

fn ended_as_its_last_attempt(state: &JobState) -> bool {
    let so = |last: &Attempt| *last == Attempt { log_streams: last.log_streams.clone(), ..end_of(state) };
    state.status.is_terminal() && state.attempts.last().is_some_and(so)
}

/// What the state says of its end, as an attempt says it.
fn end_of(state: &JobState) -> Attempt {
    Attempt {
        started_at: state.times.started_at,
        stopped_at: state.times.stopped_at,
        exit_code: state.exit_code,
        reason: state.reason.clone(),
        status_reason: state.status_reason.clone(),
        log_streams: Vec::new(),
    }
}

fn cut_down(state: &JobState) -> Result<String, serde_json::Error> {
    let mut kept = state.clone();
    for text in [&mut kept.reason, &mut kept.status_reason] {
        *text = text.as_deref().map(cut);
    }
    kept.job_queue = cut(&kept.job_queue);
    kept.job_definition = cut(&kept.job_definition);
    while serde_json::to_string(&kept)?.len() > MAX_BYTES {
        if !kept.attempts.is_empty() {
            kept.attempts.remove(0);
        } else if !kept.log_streams.is_empty() {
            kept.log_streams.pop();
        } else {
            break;
        }
    }
    serde_json::to_string(&kept)
}

/// A text of bounded length.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
