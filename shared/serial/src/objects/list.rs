//! Lists of objects.

use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use tokio::time::Instant;

use super::failure::Failure;
use super::look::Info;
use crate::domain::s3_uri::Pattern;
use crate::domain::{S3Prefix, Timestamp};
use crate::ports::{Buckets, Depth, ListFrom, Listing, ObjectInfo, PortError};

/// Folders that are listed one by one, all at once, rather than as one list.
const FOLDERS_MAX: usize = 200;

/// How far down a list is begun where there is a single folder after another.
const DESCENTS_MAX: usize = 16;

/// Which objects are told.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Their keys match.
    pub pattern: Option<Pattern>,
    /// They have no fewer bytes.
    pub min_bytes: Option<u64>,
    /// They have no more bytes.
    pub max_bytes: Option<u64>,
    /// They were written then or later.
    pub modified_since: Option<Timestamp>,
    /// They were written before.
    pub modified_before: Option<Timestamp>,
}

impl Filter {
    /// Whether an object is told. One whose moment is not known is, if no moment was asked for.
    pub fn passes(&self, object: &ObjectInfo) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&object.key))
            && self.min_bytes.is_none_or(|min| object.size_bytes >= min)
            && self.max_bytes.is_none_or(|max| object.size_bytes <= max)
            && self.modified_since.is_none_or(|since| object.last_modified.is_some_and(|at| at >= since))
            && self.modified_before.is_none_or(|before| object.last_modified.is_some_and(|at| at < before))
    }

    /// What has to be listed of a place; `None` where nothing in it can match.
    fn narrowed(&self, place: &S3Prefix) -> Option<S3Prefix> {
        let literal = self.pattern.as_ref().map(Pattern::literal_prefix).unwrap_or_default();
        let prefix = if literal.starts_with(&place.prefix) {
            literal
        } else if place.prefix.starts_with(&literal) {
            place.prefix.clone()
        } else {
            return None;
        };
        Some(S3Prefix { bucket: place.bucket.clone(), prefix })
    }
}

/// What a list came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Objects told.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects looked at.
    pub looked_at: u64,
}

/// Tells every object of a place that passes, as the pages come: folders of its first level at once, up to
/// `concurrency` pages; in no promised order. Where `tell` errs the list ends with that.
pub async fn list_all<B: Buckets>(
    buckets: &B,
    place: &S3Prefix,
    filter: &Filter,
    concurrency: usize,
    mut tell: impl AsyncFnMut(Info) -> Result<(), Failure>,
) -> Result<Listed, Failure> {
    let mut listed = Listed::default();
    let Some(place) = filter.narrowed(place) else { return Ok(listed) };
    let parts = parts(buckets, place.clone()).await?;
    let pages = stream::iter(parts.folders).map(|prefix| {
        let place = S3Prefix { bucket: place.bucket.clone(), prefix };
        Box::pin(pages(buckets, place))
    });
    let mut pages = pages.flatten_unordered(concurrency.max(1));
    let mut page = parts.objects;
    loop {
        for object in page {
            listed.looked_at += 1;
            if filter.passes(&object) {
                listed.objects += 1;
                listed.bytes += object.size_bytes;
                tell(Info::of(&place.bucket, object)).await?;
            }
        }
        match pages.try_next().await? {
            Some(listing) => page = listing.objects,
            None => return Ok(listed),
        }
    }
}

/// What a list is made of: objects that are known already, and prefixes of what else there is.
struct Parts {
    objects: Vec<ObjectInfo>,
    folders: Vec<String>,
}

/// Parts a place by its folders, where there are several and not too many. A single folder is looked into.
async fn parts<B: Buckets>(buckets: &B, mut place: S3Prefix) -> Result<Parts, Failure> {
    for _ in 0..DESCENTS_MAX {
        let mut listing = buckets.list(&place, Depth::Folder, &ListFrom::Start).await?;
        match (listing.next.is_some(), listing.folders.len(), listing.objects.len()) {
            (false, 1, 0) => place.prefix = listing.folders.remove(0),
            (false, 0..=FOLDERS_MAX, _) => {
                return Ok(Parts { objects: listing.objects, folders: listing.folders });
            }
            _ => break,
        }
    }
    Ok(Parts { objects: Vec::new(), folders: vec![place.prefix] })
}

/// All pages of a place.
fn pages<B: Buckets>(buckets: &B, place: S3Prefix) -> impl Stream<Item = Result<Listing, PortError>> {
    stream::try_unfold(Some(ListFrom::Start), move |from| {
        let place = place.clone();
        async move {
            let Some(from) = from else { return Ok(None) };
            let mut listing = buckets.list(&place, Depth::All, &from).await?;
            let next = listing.next.take().map(ListFrom::Page);
            Ok(Some((listing, next)))
        }
    })
}

/// Where a page of objects ends.
#[derive(Debug, Clone, Copy)]
pub struct PageBounds {
    /// Objects told.
    pub max_objects: usize,
    /// Of them, written as JSON.
    pub max_bytes: usize,
    /// When it ends in any case.
    pub end: Option<Instant>,
}

/// A page of objects, by key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ListedPage {
    /// What it came to.
    #[serde(flatten)]
    pub listed: Listed,
    /// Those that pass.
    pub items: Vec<Info>,
    /// The key behind which the next page starts; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_after: Option<String>,
}

/// Tells a page of the objects of a place that pass, from behind a key.
pub async fn list_page<B: Buckets>(
    buckets: &B,
    place: &S3Prefix,
    filter: &Filter,
    start_after: Option<String>,
    bounds: PageBounds,
) -> Result<ListedPage, Failure> {
    let mut page = ListedPage { listed: Listed::default(), items: Vec::new(), start_after: None };
    let Some(place) = filter.narrowed(place) else { return Ok(page) };
    let (mut bytes, mut last) = (0, start_after.clone());
    let mut from = start_after.map_or(ListFrom::Start, ListFrom::After);
    loop {
        let listing = buckets.list(&place, Depth::All, &from).await?;
        for object in listing.objects {
            let key = object.key.clone();
            if filter.passes(&object) {
                let size_bytes = object.size_bytes;
                let info = Info::of(&place.bucket, object);
                bytes += serde_json::to_string(&info).map_or(0, |json| json.len() + 1);
                if page.items.len() == bounds.max_objects || bytes > bounds.max_bytes {
                    return Ok(ListedPage { start_after: last, ..page });
                }
                page.listed.objects += 1;
                page.listed.bytes += size_bytes;
                page.items.push(info);
            }
            page.listed.looked_at += 1;
            last = Some(key);
        }
        let Some(next) = listing.next else { return Ok(page) };
        if bounds.end.is_some_and(|end| Instant::now() >= end) {
            return Ok(ListedPage { start_after: last, ..page });
        }
        from = ListFrom::Page(next);
    }
}
