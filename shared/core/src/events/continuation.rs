//! The call that functions and the program make to the submitter: go on with a run.

use serde::{Deserialize, Serialize};

use crate::domain::RunId;

/// A run to go on with, as the submitter and the reconciler ask for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Continuation {
    /// The run.
    pub run_id: RunId,
    /// Its job file, as an S3 URI.
    pub source: String,
    /// For a run that is new: run again what SUCCEEDED. A run that is known does as it was told first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rerun: bool,
}

impl Continuation {
    /// Returns the payload of the submitter's call: `{"continue": {…}}`.
    pub fn payload(&self) -> Vec<u8> {
        let call = Call { r#continue: self };
        serde_json::to_vec(&call).expect("the call has string keys only")
    }
}

#[derive(Serialize)]
struct Call<'a> {
    r#continue: &'a Continuation,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_call_names_the_run_and_its_file() {
        let call = |rerun| {
            let run_id = RunId::parse("run-1").unwrap();
            let continuation = Continuation { run_id, source: "s3://b/jobs/a.json".to_owned(), rerun };
            serde_json::from_slice::<Value>(&continuation.payload()).unwrap()
        };
        assert_eq!(call(false), json!({"continue": {"runId": "run-1", "source": "s3://b/jobs/a.json"}}));
        assert_eq!(call(true)["continue"]["rerun"], true);
    }
}
