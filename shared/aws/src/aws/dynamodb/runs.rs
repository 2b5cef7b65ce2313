//! The run store.

use super::DynamoDbJobStore;
use super::call::{Written, failed, until_settled, unusable, written};
use super::cursor::ListPosition;
use super::item::{self, Item};
use super::keys::Work;
use super::list::List;
use super::lists::{place_after, read};
use super::table::RUN_ID;
use crate::domain::{Run, RunId, RunState, Timestamp};
use crate::ports::{Cursor, Page, PortError, RunStore};

const PUT: &str = "PutItem";
const SCAN: &str = "Scan";

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
        Ok(self.put_run(run, Some(&known_states(run))).await? == Written::Done)
    }

    async fn run(&self, run_id: &RunId) -> Result<Option<Run>, PortError> {
        let found = self.item(&self.tables.runs, item::run_key(run_id.as_str())).await?;
        found.as_ref().map(item::to_run).transpose().map_err(unusable("GetItem"))
    }

    async fn runs(&self, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        let place = ListPosition::read(page).map_err(unusable(SCAN))?;
        let scan = self.client.scan().table_name(&self.tables.runs).set_exclusive_start_key(place.after);
        let answer = scan.send().await.map_err(|error| failed(SCAN, error))?;
        let items = answer.items.unwrap_or_default();
        Ok(read(Page::new(items, place_after(answer.last_evaluated_key)), item::to_run))
    }

    async fn unfinished_runs(&self, since: Timestamp, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        let list = List::of_work(Work::Run, since);
        Ok(read(self.list(&self.tables.runs, &list, page).await?, item::to_run))
    }
}

/// The states over which [`Run::may_replace`] allows it. Items of an earlier version don't number their looks: the
/// state alone keeps a run whose file has been dealt with from being saved once more.
fn known_states(run: &Run) -> Vec<RunState> {
    let is_first = run.state.is_over() && run.ending.looks == 0;
    run.state.follows().iter().copied().filter(|known| !(is_first && *known == run.state)).collect()
}

impl DynamoDbJobStore {
    /// With `known`, where the run is in one of these states and not further on; without, where it is not known.
    async fn put_run(&self, run: &Run, known: Option<&[RunState]>) -> Result<Written, PortError> {
        let item = item::of_run(run).map_err(unusable(PUT))?;
        let put = self.client.put_item().table_name(&self.tables.runs).set_item(Some(item));
        let Some(known) = known else {
            let put = put
                .condition_expression("attribute_not_exists(#runId)")
                .expression_attribute_names("#runId", RUN_ID);
            return written(PUT, put.send().await);
        };
        let names: Vec<String> = (0..known.len()).map(|number| format!(":state{number}")).collect();
        let mut values = Item::from([
            (":checkpoint".to_owned(), item::number(run.checkpoint.0)),
            (":looks".to_owned(), item::number(run.ending.looks)),
            (":own".to_owned(), item::text(run.state.as_str())),
        ]);
        for (name, state) in names.iter().zip(known) {
            values.insert(name.clone(), item::text(state.as_str()));
        }
        let put = put
            .condition_expression(format!(
                "#runState IN ({}) AND #checkpoint <= :checkpoint AND (attribute_not_exists(#looks) OR #looks < :looks \
                 OR (#looks = :looks AND {}))",
                names.join(", "),
                if run.state.is_over() { "#runState <> :own" } else { ":own = :own" },
            ))
            .expression_attribute_names("#looks", item::LOOKS)
            .expression_attribute_names("#runState", item::RUN_STATE)
            .expression_attribute_names("#checkpoint", item::CHECKPOINT)
            .set_expression_attribute_values(Some(values));
        written(PUT, put.send().await)
    }
}
