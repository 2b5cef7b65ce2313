//! Logs of jobs.

use std::ops::Range;

use futures_util::Stream;

use crate::client::Client;
use crate::domain::{JobName, JobState, LogStream};
use crate::error::ClientError;
use crate::ports::{Cursor, JobQueries, LogEvent, LogSource, LogSourceError};

/// How far a reader has come.
enum At {
    Job(JobName),
    Stream { left: Left, stream: LogStream, page: Option<Cursor> },
    Events { left: Left, stream: LogStream, next: Option<Cursor>, events: std::vec::IntoIter<LogEvent> },
    Between(Left),
    End,
}

/// What is still to be read.
struct Left {
    /// Of the submission, or of one of its children or nodes.
    streams: std::vec::IntoIter<LogStream>,
    /// The submission, whose children and nodes are looked up one after the other: an array may have 10,000.
    whole: JobState,
    parts: Range<u32>,
    /// Whether AWS Batch was asked about those that the store does not know.
    has_asked: bool,
}

impl Left {
    fn of(whole: JobState) -> Self {
        Self { streams: streams(&whole), parts: 0..whole.parts(), whole, has_asked: false }
    }

    async fn next(&mut self, client: &Client) -> Result<Option<LogStream>, ClientError> {
        loop {
            if let Some(stream) = self.streams.next() {
                return Ok(Some(stream));
            }
            let Some(index) = self.parts.next() else { return Ok(None) };
            let (name, id) = (&self.whole.job_name, self.whole.part(index));
            let mut part = client.store().submission_of(name, &id).await?;
            // Those who wait for the whole hear of its end before that of its parts.
            if part.is_none() && !std::mem::replace(&mut self.has_asked, true) {
                client.update(&[]).await?;
                part = client.store().submission_of(name, &id).await?;
            }
            self.streams = part.map(|part| streams(&part.state)).unwrap_or_default();
        }
    }
}

fn streams(state: &JobState) -> std::vec::IntoIter<LogStream> {
    state.all_log_streams().into_iter().cloned().collect::<Vec<_>>().into_iter()
}

impl Client {
    /// Every line of a job's latest submission: each attempt and container, oldest first, a page held at a time. Of an array or a
    /// multi-node job, those of its children or nodes, one after the other in the order of their indexes. AWS Batch is asked about
    /// them when the job has ended: before that they may have no lines. Where one of them is not known yet, it looks once as
    /// [`Client::update`] does.
    ///
    /// It reads CloudWatch Logs, or whatever source the client was made of, and never a stack's archive: what is not there any more
    /// has no lines, and neither has a stream that does not exist because its container never wrote.
    ///
    /// Errs where the job is not known, and where the source or the store can't be read.
    pub fn log(&self, name: &JobName) -> impl Stream<Item = Result<LogEvent, ClientError>> + Send + use<> {
        let start = (self.clone(), At::Job(name.clone()));
        futures_util::stream::unfold(start, |(client, mut at)| async move {
            loop {
                at = match at {
                    At::End => return None,
                    At::Events { left, stream, next, mut events } => match (events.next(), next) {
                        (Some(event), next) => {
                            return Some((Ok(event), (client, At::Events { left, stream, next, events })));
                        }
                        (None, Some(next)) => At::Stream { left, stream, page: Some(next) },
                        (None, None) => At::Between(left),
                    },
                    At::Between(mut left) => match left.next(&client).await {
                        Ok(Some(stream)) => At::Stream { left, stream, page: None },
                        Ok(None) => At::End,
                        Err(error) => return Some((Err(error), (client, At::End))),
                    },
                    At::Job(name) => match client.latest(&name).await {
                        Ok(latest) => latest.map_or(At::End, |state| At::Between(Left::of(state))),
                        Err(error) => return Some((Err(error), (client, At::End))),
                    },
                    At::Stream { left, stream, page } => {
                        match client.shared().logs.log_events(&stream, page.as_ref()).await {
                            Ok(read) => {
                                At::Events { left, stream, next: read.next, events: read.events.into_iter() }
                            }
                            Err(LogSourceError::Port(error)) => {
                                return Some((Err(error.into()), (client, At::End)));
                            }
                            Err(_) => At::Between(left),
                        }
                    }
                };
            }
        })
    }

    async fn latest(&self, name: &JobName) -> Result<Option<JobState>, ClientError> {
        let job = self.store().job(name).await?.ok_or_else(|| ClientError::UnknownJob(name.clone()))?;
        Ok(job.latest.map(|submission| submission.state))
    }
}
