//! Logs of jobs.

use futures_util::Stream;

use crate::client::Client;
use crate::domain::{JobName, LogStream};
use crate::error::ClientError;
use crate::ports::{Cursor, JobQueries, LogEvent, LogSource, LogSourceError};

/// How far a reader has come.
enum At {
    Job(JobName),
    Stream {
        left: std::vec::IntoIter<LogStream>,
        stream: LogStream,
        page: Option<Cursor>,
    },
    Events {
        left: std::vec::IntoIter<LogStream>,
        stream: LogStream,
        next: Option<Cursor>,
        events: std::vec::IntoIter<LogEvent>,
    },
    Between(std::vec::IntoIter<LogStream>),
    End,
}

impl Client {
    /// Every line of a job's latest submission: each attempt and container, oldest first, a page held at a time. A
    /// stream that does not exist, because its container never wrote, has no lines.
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
                    At::Between(mut left) => match left.next() {
                        Some(stream) => At::Stream { left, stream, page: None },
                        None => At::End,
                    },
                    At::Job(name) => match client.streams(&name).await {
                        Ok(streams) => At::Between(streams.into_iter()),
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

    async fn streams(&self, name: &JobName) -> Result<Vec<LogStream>, ClientError> {
        let job = self.store().job(name).await?.ok_or_else(|| ClientError::UnknownJob(name.clone()))?;
        Ok(job.state().map_or_else(Vec::new, |state| state.all_log_streams().into_iter().cloned().collect()))
    }
}
