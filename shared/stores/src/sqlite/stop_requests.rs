//! Requests to stop jobs, by a process that looks at the state, to the one that runs the jobs.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::error::SqliteFailure;
use super::{SqliteStore, rows, sql};
use crate::domain::{JobId, Stop};
use crate::ports::PortError;

/// Submissions to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopRequest {
    /// Which.
    pub job_ids: Vec<JobId>,
    /// How.
    pub stop: Stop,
    /// Why.
    pub reason: String,
}

/// For each id, in their order, why it could not be stopped.
pub type StopAnswer = Vec<Option<String>>;

/// The number of a request in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRequestId(i64);

impl SqliteStore {
    /// Leaves a request for the process that runs the jobs.
    pub fn request_stop(&self, request: &StopRequest) -> Result<StopRequestId, PortError> {
        self.change_at_once("ask for jobs to be stopped", |connection| {
            let text = rows::to_json("a request", request)?;
            connection.prepare_cached(sql::REQUEST_STOP)?.execute([text])?;
            Ok(StopRequestId(connection.last_insert_rowid()))
        })
    }

    /// The requests without an answer, oldest first.
    pub fn open_stop_requests(&self) -> Result<Vec<(StopRequestId, StopRequest)>, PortError> {
        self.look_at_once("look for requests", |connection| {
            let mut statement = connection.prepare_cached(sql::OPEN_STOP_REQUESTS)?;
            let mut found = statement.query([])?;
            let mut requests = Vec::new();
            while let Some(row) = found.next()? {
                requests.push((
                    StopRequestId(row.get(0)?),
                    rows::from_json("a request", &row.get::<_, String>(1)?)?,
                ));
            }
            Ok(requests)
        })
    }

    /// Says what became of a request; one that was withdrawn meanwhile stays so.
    pub fn answer_stop(&self, id: StopRequestId, answer: &StopAnswer) -> Result<(), PortError> {
        self.change_at_once("answer a request", |connection| {
            let text = rows::to_json("an answer", answer)?;
            connection.prepare_cached(sql::ANSWER_STOP)?.execute(params![id.0, text])?;
            Ok(())
        })
    }

    /// Takes the answer to a request, and the request with it; `None` while there is no answer.
    pub fn take_stop_answer(&self, id: StopRequestId) -> Result<Option<StopAnswer>, PortError> {
        let answer = self.look_at_once("look for an answer", |connection| answer(connection, id))?;
        if answer.is_some() {
            self.withdraw_stop(id)?;
        }
        Ok(answer)
    }

    /// Takes a request back.
    pub fn withdraw_stop(&self, id: StopRequestId) -> Result<(), PortError> {
        self.change_at_once("take a request back", |connection| {
            connection.prepare_cached(sql::WITHDRAW_STOP)?.execute([id.0])?;
            Ok(())
        })
    }
}

fn answer(connection: &Connection, id: StopRequestId) -> Result<Option<StopAnswer>, SqliteFailure> {
    let mut statement = connection.prepare_cached(sql::STOP_ANSWER)?;
    let found: Option<String> = statement.query_row([id.0], |row| row.get(0)).optional()?.flatten();
    found.map(|text| rows::from_json("an answer", &text)).transpose()
}
