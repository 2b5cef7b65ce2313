//! The run store.

use super::DynamoDbJobStore;
use super::call::{Written, until_settled, unusable, written};
use super::item::{self, Item};
use super::keys::Work;
use super::lists::{List, read};
use super::table::RUN_ID;
use crate::domain::{Run, RunId, RunState, Timestamp};
use crate::ports::{Cursor, Page, PortError, RunStore};

const PUT: &str = "PutItem";

impl RunStore for DynamoDbJobStore {
    async fn create_run(&self, run: &Run) -> Result<Option<Run>, PortError> {
        until_settled(PUT, || async {
            if self.put_run(run, None).await? == Written::Done {
                return Ok(Some(None));
            }
            Ok(self.run(&run.run_id).await?.map(Some))
        })
        .await
    }

    async fn save_run(&self, run: &Run) -> Result<bool, PortError> {
        let values = Item::from([
            (":checkpoint".to_owned(), item::number(run.checkpoint.0)),
            (":submitting".to_owned(), item::text(item::run_state(RunState::Submitting))),
        ]);
        Ok(self.put_run(run, Some(values)).await? == Written::Done)
    }

    async fn run(&self, run_id: &RunId) -> Result<Option<Run>, PortError> {
        let found = self.item(&self.tables.runs, item::run_key(run_id.as_str())).await?;
        found.as_ref().map(item::to_run).transpose().map_err(unusable("GetItem"))
    }

    async fn unfinished_runs(&self, since: Timestamp, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        let list = List::of_work(Work::Run, since);
        read(self.list(&self.tables.runs, &list, page).await?, item::to_run)
    }
}

impl DynamoDbJobStore {
    /// With `known`, where the run is SUBMITTING and not further on; without, where it is not known.
    async fn put_run(&self, run: &Run, known: Option<Item>) -> Result<Written, PortError> {
        let item = item::of_run(run).map_err(unusable(PUT))?;
        let put = self.client.put_item().table_name(&self.tables.runs).set_item(Some(item));
        let put = match known {
            None => put
                .condition_expression("attribute_not_exists(#runId)")
                .expression_attribute_names("#runId", RUN_ID),
            Some(values) => put
                .condition_expression("#runState = :submitting AND #checkpoint <= :checkpoint")
                .expression_attribute_names("#runState", item::RUN_STATE)
                .expression_attribute_names("#checkpoint", item::CHECKPOINT)
                .set_expression_attribute_values(Some(values)),
        };
        written(PUT, put.send().await)
    }
}
