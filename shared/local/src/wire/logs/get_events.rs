//! `GetLogEvents`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::files::{self, Slice};
use super::token::Token;
use super::{Logs, blocking, failed, group_of, invalid};
use crate::ports::LogEvent;
use crate::wire::fault::{Fault, members};

/// Events on a page. Source: the API reference of `GetLogEvents`.
pub(super) const PAGE_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: String,
    #[serde(flatten)]
    between: Between,
    next_token: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    start_from_head: bool,
}

/// A stretch of time, in milliseconds since 1970, its end left out.
#[derive(Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Between {
    start_time: Option<i64>,
    end_time: Option<i64>,
}

impl Between {
    pub(super) fn holds(self, event: &LogEvent) -> bool {
        let at = event.timestamp.as_millis();
        self.start_time.is_none_or(|start| at >= start) && self.end_time.is_none_or(|end| at < end)
    }
}

impl Logs {
    pub(super) async fn get_log_events(&self, body: Value) -> Result<Value, Fault> {
        let request: GetLogEvents = members(body).map_err(invalid)?;
        {
            let held = self.shelf.lock().await;
            group_of(&held, request.log_group_name.as_deref(), request.log_group_identifier.as_deref())?;
        }
        let limit = page(request.limit)?;
        let token = match &request.next_token {
            Some(text) => {
                Some(Token::parse(text).ok_or_else(|| invalid("The specified nextToken is invalid."))?)
            }
            None => None,
        };
        let directory = self.directory.clone();
        let slice = blocking(move || {
            let wanted = |event: &LogEvent| request.between.holds(event);
            let file = files::open(&directory, &request.log_stream_name).map_err(failed)?;
            let slice = match token {
                Some(Token::Forward(from)) => files::forward(file, from, limit, wanted),
                Some(Token::Backward(until)) => files::backward(file, Some(until), limit, wanted),
                None if request.start_from_head => files::forward(file, 0, limit, wanted),
                None => files::backward(file, None, limit, wanted),
            };
            slice.map_err(failed)
        });
        Ok(answer(&slice.await?))
    }
}

/// At the end in either direction the token of that direction comes back as it was given.
fn answer(slice: &Slice) -> Value {
    let events: Vec<&LogEvent> = slice.events.iter().map(|(_, event)| event).collect();
    json!({
        "events": events,
        "nextForwardToken": Token::Forward(slice.end).text(),
        "nextBackwardToken": Token::Backward(slice.start).text(),
    })
}

/// Events on a page: from 1 to the most, which is meant where nothing is said.
pub(super) fn page(limit: Option<usize>) -> Result<usize, Fault> {
    match limit.unwrap_or(PAGE_MAX) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        limit => Err(invalid(format!("limit: {limit} is not from 1 to {PAGE_MAX}"))),
    }
}
