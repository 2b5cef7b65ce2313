//! Where results go: into the answer, or into an object.

use batchwright::domain::{S3Prefix, S3Uri};
use batchwright::function::FunctionError;
use batchwright::objects::{ANSWER_MAX_BYTES, Failure, FailureCode, ResultsFile, Target};
use batchwright::ports::Buckets;
use serde::Serialize;

use crate::answer::{Entry, OperationResult, Response};
use crate::config::Config;

/// What an answer has beside its results.
const ANSWER_BYTES: usize = 4_096;

/// What is kept free for an object's failure, beside its URI.
const FAILURE_BYTES: usize = 400;

/// Takes results.
pub(crate) struct Sink<W> {
    response: Response,
    entries: Vec<Entry>,
    /// Bytes of the answer, with room for a failure of every object that is still to come.
    bytes: usize,
    file: Option<ResultsFile<W>>,
}

impl<W: batchwright::ports::ConditionalWriter> Sink<W> {
    /// For results of these objects. Errs where an answer can't hold them.
    pub(crate) async fn open<B: Buckets<Writer = W>>(
        buckets: &B,
        config: &Config,
        results_uri: Option<&str>,
        uris: impl Iterator<Item = &str>,
    ) -> Result<Self, FunctionError> {
        let response = Response::default();
        let Some(results_uri) = results_uri else {
            let bytes = ANSWER_BYTES + uris.map(room).sum::<usize>();
            if bytes > ANSWER_MAX_BYTES {
                let why = "an answer can't hold the results of so many objects; name a resultsUri for them";
                return Err(FunctionError::Refused(why.to_owned()));
            }
            return Ok(Self { response, entries: Vec::new(), bytes, file: None });
        };
        let uri = S3Uri::parse(results_uri).map_err(Failure::invalid_request).map_err(refused)?;
        let place = S3Prefix { bucket: uri.bucket.clone(), prefix: uri.key.clone() };
        config.allow(&place).map_err(refused)?;
        let file = ResultsFile::create(buckets, &Target::at(uri)).await.map_err(refused)?;
        Ok(Self { response, entries: Vec::new(), bytes: 0, file: Some(file) })
    }

    /// Takes the result of one object.
    pub(crate) async fn push(&mut self, entry: Entry) -> Result<(), FunctionError> {
        let entry = match &mut self.file {
            Some(file) => {
                file.push(&entry).await.map_err(refused)?;
                self.count(&entry);
                return Ok(());
            }
            None => self.fitted(entry),
        };
        self.count(&entry);
        self.entries.push(entry);
        Ok(())
    }

    /// Takes a line that is no object's result.
    pub(crate) async fn push_line(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        match &mut self.file {
            Some(file) => file.push(line).await,
            None => Ok(()),
        }
    }

    /// The answer.
    pub(crate) async fn finish(mut self) -> Result<Response, FunctionError> {
        match self.file {
            Some(file) => self.response.results_file = Some(file.finish().await.map_err(refused)?),
            None => self.response.results = Some(self.entries),
        }
        Ok(self.response)
    }

    /// Leaves no results behind.
    pub(crate) async fn abort(self) {
        if let Some(file) = self.file {
            file.abort().await;
        }
    }

    fn count(&mut self, entry: &Entry) {
        match entry.error {
            None => self.response.succeeded += 1,
            Some(_) => self.response.failed += 1,
        }
    }

    /// The entry, less what does not fit into the answer.
    fn fitted(&mut self, mut entry: Entry) -> Entry {
        let free = ANSWER_MAX_BYTES.saturating_sub(self.bytes) + room(&entry.uri);
        let mut bytes = length(&entry);
        if bytes > free {
            match &mut entry.result {
                // It is written; its length is still told.
                Some(OperationResult::Converted(converted)) if converted.header.is_some() => {
                    converted.header = None;
                }
                _ => entry = Entry::of(entry.uri, Err(no_room())),
            }
            bytes = length(&entry);
        }
        self.bytes = (self.bytes + bytes).saturating_sub(room(&entry.uri));
        entry
    }
}

fn no_room() -> Failure {
    let message = "the answer has no room left for the result; ask for fewer, have it written by convert, or \
                   name a resultsUri";
    Failure::new(FailureCode::TooLarge, message)
}

fn room(uri: &str) -> usize {
    FAILURE_BYTES + length(&uri)
}

fn length(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len() + 1)
}

/// The call as a whole fails: its results can't be written.
pub(crate) fn refused(failure: Failure) -> FunctionError {
    match failure.may_pass() {
        true => FunctionError::NotYet(failure.message),
        false => FunctionError::Refused(failure.message),
    }
}
