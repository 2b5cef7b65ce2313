//! stub
#![expect(missing_docs, reason = "stub")]
use crate::domain::*;
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub line: Option<u64>,
    pub field: Option<String>,
    pub message: String,
}
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
#[derive(Debug, thiserror::Error)]
#[error("bad")]
pub struct JobFileError {
    pub file: String,
    pub problems: Vec<Problem>,
}
pub struct Entry {
    pub line: u64,
    pub job: Result<JobSpec, Vec<Problem>>,
}
pub struct JobFile<R>(pub R);
impl<R> JobFile<R> {
    pub async fn next(&mut self) -> Result<Option<Entry>, JobFileError> {
        Ok(None)
    }
    pub fn definitions(&self) -> &[JobDefinition] {
        &[]
    }
}
