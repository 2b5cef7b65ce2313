//! Runs in memory.

use std::collections::btree_map::Entry;

use super::lists::page_of;
use super::{InMemoryJobStore, lock};
use crate::domain::{Run, RunId, Timestamp};
use crate::ports::{Cursor, Page, PortError, RunStore};

impl RunStore for InMemoryJobStore {
    async fn create_run(&self, run: &Run) -> Result<Option<Run>, PortError> {
        match lock(&self.state).runs.entry(run.run_id.clone()) {
            Entry::Occupied(known) => Ok(Some(known.get().clone())),
            Entry::Vacant(vacant) => {
                vacant.insert(run.clone());
                Ok(None)
            }
        }
    }

    async fn save_run(&self, run: &Run) -> Result<bool, PortError> {
        let mut state = lock(&self.state);
        let Some(known) = state.runs.get_mut(&run.run_id) else { return Ok(false) };
        let moves_on = run.may_replace(known);
        if moves_on {
            known.clone_from(run);
        }
        Ok(moves_on)
    }

    async fn run(&self, run_id: &RunId) -> Result<Option<Run>, PortError> {
        Ok(lock(&self.state).runs.get(run_id).cloned())
    }

    async fn runs(&self, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        let state = lock(&self.state);
        Ok(page_of(state.runs.iter().map(|(id, run)| (id.as_str(), run.clone())), page))
    }

    async fn unfinished_runs(&self, since: Timestamp, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        let state = lock(&self.state);
        let unfinished = |run: &Run| run.has_work_left() && run.updated_at < since;
        let runs = state.runs.iter().filter(|(_, run)| unfinished(run));
        Ok(page_of(runs.map(|(id, run)| (id.as_str(), run.clone())), page))
    }
}
