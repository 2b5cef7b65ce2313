//! Work that no event will trigger.

use std::future::Future;

use super::{Cursor, Page, PortError};
use crate::domain::{FollowUp, JobHead, JobId, JobName, Submission, Timestamp};

/// Lists of what is left to be done, and how an entry leaves its list. The reconciler works them off, because
/// no event will.
pub trait WorkLists: Send + Sync {
    /// Submissions whose end has loose ends, by [`has_loose_ends`](crate::domain::JobState::has_loose_ends), and
    /// is not [`FollowUp::Settled`], a page at a time.
    fn unsettled_ends(
        &self,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Submission>, PortError>> + Send;

    /// Submissions whose end [`FollowUp::WaitsFor`] the job, a page at a time. The list costs as much as it
    /// holds, however many ends are unsettled.
    fn ends_waiting_for(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Submission>, PortError>> + Send;

    /// Keeps how far the decision on what follows from an end has come. A submission without loose ends, and
    /// one about which more was decided before, stay as they are. What is [`FollowUp::Settled`] leaves
    /// [`WorkLists::unsettled_ends`].
    fn save_follow_up(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        follow_up: &FollowUp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Heads whose claim expired before a moment, a page at a time. One that several sheets name may come more than once.
    fn expired_claims(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<JobHead>, PortError>> + Send;

    /// Takes down the sheets whose last claim expired before a moment, but for those of which a claim stands. The moment
    /// must be so long ago that nobody is still about to make one.
    fn close_left_sheets(&self, before: Timestamp) -> impl Future<Output = Result<(), PortError>> + Send {
        let _ = before;
        std::future::ready(Ok(()))
    }

    /// Submissions, children and nodes that have not ended and of which nothing was heard, and Batch was
    /// not asked, since a moment. What waits longest comes first, in each part of a store that is in parts;
    /// none of these comes first in every list.
    ///
    /// Where to move an entry costs money, a store may leave one that has ended since on this list, and not on
    /// [`WorkLists::unfinished_logs`], until no look at its log is due soon: whoever goes through the list finds it by
    /// its status, and by [`Submission::logs_wait_since`] when.
    fn silent_submissions(
        &self,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Submission>, PortError>> + Send;

    /// Batch was asked about submissions in flight and had no news of them: they leave
    /// [`WorkLists::silent_submissions`] of moments up to `asked_at`. With `heard_at` Batch knows them, and
    /// their `updated_at` is that moment. One that has changed since it was read is left as it is.
    fn no_news(
        &self,
        submissions: &[Submission],
        heard_at: Option<Timestamp>,
        asked_at: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Submissions, children and nodes that have ended and whose logs wait to be looked at since before a
    /// moment, by [`Submission::logs_wait_since`]; but for those that are on [`WorkLists::silent_submissions`] still.
    fn unfinished_logs(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Submission>, PortError>> + Send;
}
