//! Sheets: one item names up to a hundred jobs that are about to be claimed, and stands on one list in place of their
//! claims, because an entry that comes and goes costs two write units.

use std::collections::BTreeSet;

use super::DynamoDbJobStore;
use super::call::{failed, unique_mark, unusable};
use super::cursor::ListPosition;
use super::item::{self, Item};
use super::keys::{SHARDS, Work};
use super::list::List;
use super::lists::skipping;
use crate::domain::{Claim, JobHead, JobName, SheetId, Timestamp};
use crate::ports::{Cursor, Page, PortError, Unreadable};

/// Sheets of a page: each names a hundred jobs.
const PAGE_SIZE: i32 = 10;

impl DynamoDbJobStore {
    pub(super) async fn put_sheet(
        &self,
        names: &[JobName],
        expires_at: Timestamp,
    ) -> Result<SheetId, PortError> {
        let id = SheetId(unique_mark());
        let put = self.client.put_item().table_name(&self.tables.jobs);
        let sheet = item::of_sheet(&id, names, expires_at).map_err(unusable("PutItem"))?;
        let put = put.set_item(Some(sheet));
        put.send().await.map_err(|error| failed("PutItem", error))?;
        Ok(id)
    }

    pub(super) async fn remove_sheet(&self, key: Item) -> Result<(), PortError> {
        let delete = self.client.delete_item().table_name(&self.tables.jobs).set_key(Some(key));
        delete.send().await.map(drop).map_err(|error| failed("DeleteItem", error))
    }

    /// The claims that are listed by themselves, then those on sheets.
    pub(super) async fn list_expired_claims(
        &self,
        before: Timestamp,
        cursor: Option<&Cursor>,
    ) -> Result<Page<JobHead>, PortError> {
        let place = ListPosition::read(cursor).map_err(unusable("Query"))?;
        let on_sheets = |after| ListPosition { shard: SHARDS, after }.write();
        if place.shard < SHARDS {
            let page = self.list_heads(&List::of_work(Work::Claim, before), cursor).await?;
            return Ok(Page { next: page.next.or_else(|| Some(on_sheets(None))), ..page });
        }
        let (sheets, after) = self.sheets(&List::of_sheets(Some(before)), place.after).await?;
        let mut page = Page::new(Vec::new(), after.map(|after| on_sheets(Some(after))));
        page.items = self.heads_of(&sheets, &mut page.unreadable).await?;
        let is_due = |claim: &Claim| claim.on_sheet && claim.expires_at < before;
        page.items.retain(|head| head.claim.as_ref().is_some_and(is_due));
        Ok(page)
    }

    /// Heads whose claims are on a sheet, expired or not, each once.
    pub(super) async fn claimed_on_sheets(&self) -> Result<Vec<JobHead>, PortError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let (sheets, next) = self.sheets(&List::of_sheets(None), after).await?;
            all.extend(sheets);
            after = next;
            if after.is_none() {
                break;
            }
        }
        let mut heads = self.heads_of(&all, &mut Vec::new()).await?;
        heads.retain(|head| head.claim.as_ref().is_some_and(|claim| claim.on_sheet));
        Ok(heads)
    }

    pub(super) async fn remove_left_sheets(&self, before: Timestamp) -> Result<(), PortError> {
        let mut after = None;
        loop {
            let (sheets, next) = self.sheets(&List::of_sheets(Some(before)), after).await?;
            for sheet in sheets {
                let mut unreadable = Vec::new();
                let heads = self.heads_of(std::slice::from_ref(&sheet), &mut unreadable).await?;
                if unreadable.is_empty() && heads.iter().all(|head| head.claim.is_none()) {
                    self.remove_sheet(item::key_of(&sheet)).await?;
                }
            }
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// A page of sheets, as they are now, and where the next begins.
    async fn sheets(&self, list: &List, after: Option<Item>) -> Result<(Vec<Item>, Option<Item>), PortError> {
        let query = list.query(self.client.query().table_name(&self.tables.jobs), 0).limit(PAGE_SIZE);
        let answer = query.set_exclusive_start_key(after).send().await;
        let answer = answer.map_err(|error| failed("Query", error))?;
        let keys: Vec<Item> = answer.items().iter().map(item::key_of).collect();
        let found = self.items(&self.tables.jobs, &keys).await?;
        Ok((found.into_iter().flatten().collect(), answer.last_evaluated_key))
    }

    /// The heads of the jobs that sheets name, each once. What can't be read is left out, and named.
    async fn heads_of(
        &self,
        sheets: &[Item],
        unreadable: &mut Vec<Unreadable>,
    ) -> Result<Vec<JobHead>, PortError> {
        let names = sheets.iter().filter_map(|sheet| skipping(item::to_names(sheet), unreadable));
        let names: BTreeSet<JobName> = names.flatten().collect();
        let keys: Vec<Item> = names.iter().map(item::head_key).collect();
        let found = self.items(&self.tables.jobs, &keys).await?;
        let heads = found.iter().flatten().map(|item| item::to_head(item).map(|(head, _)| head));
        Ok(heads.filter_map(|head| skipping(head, unreadable)).collect())
    }
}
