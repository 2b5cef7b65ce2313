//! How job files and documents read YAML: within a budget, because a few aliases can stand for gigabytes, and with
//! refusals in our words.

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Error, Options};

/// Values in one document, those that aliases repeat among them.
const NODES_MAX: usize = 4_000_000;

/// Aliases in one document.
const ALIASES_MAX: usize = 10_000;

/// Values that aliases may repeat in all.
const REPLAYED_MAX: usize = 200_000;

/// What the reader's messages advise instead of what is not read.
pub struct Remedies {
    /// Instead of merge keys.
    pub merge_keys: &'static str,
    /// Instead of several documents.
    pub documents: &'static str,
    /// Instead of numbers that JSON does not have.
    pub infinities: &'static str,
    /// Instead of a document over its budget.
    pub excess: &'static str,
}

/// Returns the options for one document of YAML 1.2 within these bounds.
pub fn options(max_bytes: usize, depth_max: usize) -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(max_bytes),
            max_events: 2 * NODES_MAX,
            max_nodes: NODES_MAX,
            max_aliases: ALIASES_MAX,
            max_anchors: ALIASES_MAX,
            max_depth: depth_max,
            max_documents: 1,
            max_total_scalar_bytes: 2 * max_bytes,
            max_merge_keys: 0,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: REPLAYED_MAX,
            max_replay_stack_depth: depth_max,
            max_alias_expansions_per_anchor: ALIASES_MAX,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    }
}

/// Returns why a document is refused: in our words if we know the remedy, else in the parser's, without the place.
pub fn reason(error: &Error, remedies: &Remedies) -> String {
    match error {
        Error::AliasError { error, .. } => reason(error, remedies),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key {key:?} stands twice in one mapping; remove one")
        }
        Error::MergeKeyNotAllowed { .. } => {
            format!("merge keys (<<) are not read; {}", remedies.merge_keys)
        }
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } | Error::MultipleDocuments { .. } => {
            format!("more than one document; {}", remedies.documents)
        }
        Error::NonFiniteFloat { .. } => format!("a number must be finite{}", remedies.infinities),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            format!("it grows too large or too deep, perhaps by its aliases; {}", remedies.excess)
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim();
            first.split(" at line ").next().unwrap_or(first).trim_end_matches('.').to_owned()
        }
    }
}
