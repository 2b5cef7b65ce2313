//! Job files: read, checked, with the line and field of whatever is wrong.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `file` | an open file, whole or streamed |
//! | `text` | bytes as UTF-8 |
//! | `json`, `yaml`, `node` | the two syntaxes, and the tree with lines that both become |
//! | `format`, `document` | which syntax a file has, and which form |
//! | `defaults`, `definitions` | what stands in a file beside its jobs |
//! | `nothing` | members that say nothing, or that `SubmitJob` does not know |
//! | `schema`, `job_schema` | the language of fields, and the fields of a job in it |
//! | `json_schema` | the same as a JSON Schema |
//! | `rules`, `text_rules` | what must hold between fields, and of a text |
//! | `job` | one job, checked and made a spec |
//! | `order` | dependencies by name, duplicates, circles |
//! | `problem` | what is wrong |

mod defaults;
mod definitions;
mod document;
mod file;
mod format;
mod job;
mod job_schema;
mod json;
#[cfg(feature = "schema")]
mod json_schema;
mod lined_value;
mod local;
mod nothing;
mod order;
mod problem;
mod rules;
mod schema;
#[cfg(test)]
mod tests;
mod text;
mod text_rules;
mod yaml;

pub use crate::domain::suggest::nearest;
pub use definitions::{check_definition, check_registration, read_definitions};
pub use file::{Entry, JobFile, open};
pub use job::{check_job, check_request};
#[cfg(feature = "schema")]
pub use json_schema::{Defaults, Job, JobDocument, required_after_defaults};
pub use local::LocalSettings;
pub use order::in_order;
pub use problem::{JobFileError, Problem};
