//! What the fan-out answers.

use batchwright::domain::RunId;
use batchwright::fan_out::{Progress, Summary};
use batchwright::use_cases::fan_out::{Results, RunPlace};
use serde::Serialize;
use serde_json::value::RawValue;

/// How a fan-out stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum AnswerState {
    /// Every item has its result.
    Complete,
    /// Another invocation goes on with it: its summary will be at `summaryUri`.
    Running,
    /// An invocation brought it no further, and nobody goes on: call again with its `runId`.
    Stopped,
}

/// The answer to a call.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// To be given with a call that asks for the same fan-out again.
    pub run_id: RunId,
    /// How it stands.
    pub state: AnswerState,
    /// What it came to, so far.
    pub summary: Summary,
    /// One result for each item, in the order of the list, where they fit and no object was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<batchwright::fan_out::ItemResult>>"))]
    pub results: Option<Vec<Box<RawValue>>>,
    /// Where the results are, as JSON Lines in the order of the list, but for results that came after 64 MiB of those
    /// behind them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results_uri: Option<String>,
    /// Where this answer is, or will be, without results.
    pub summary_uri: String,
}

impl Response {
    /// Of a fan-out that has not ended.
    pub(crate) fn open(place: &RunPlace, state: AnswerState, progress: &Progress) -> Self {
        let root = RunPlace { branch: None, ..place.clone() };
        Self {
            run_id: root.run_id.clone(),
            state,
            summary: Summary::from(progress),
            results: None,
            results_uri: None,
            summary_uri: root.uri(&root.summary()),
        }
    }

    /// Of one that has.
    pub(crate) fn complete(place: &RunPlace, progress: &Progress, results: Results) -> Self {
        let open = Self::open(place, AnswerState::Complete, progress);
        match results {
            Results::Inline(results) => Self { results: Some(results), ..open },
            Results::At(uri) => Self { results_uri: Some(uri), ..open },
        }
    }
}
