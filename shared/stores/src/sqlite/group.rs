//! Calls that are under way at once share one transaction.
//!
//! A call does its work at once, and is answered when the transaction is committed. Between the two it lets the
//! other tasks of its thread run, so that what they write goes in as well; whoever comes back first commits for all.
//! A commit costs more than what it holds: every page that changed is written, whether by one call or by fifty.
//!
//! No answer leaves before the commit, and a call that only reads while others' changes are not committed waits for
//! them too: so nobody acts on what a kill would undo.
//!
//! A store that gathers is the exception, for simulations, whose world is in the file as a whole: many calls that come
//! one after the other share a transaction, and are answered before it is committed. A kill takes them all back, and so
//! the world with them. Where the commit fails, nothing is answered any more.

use std::future::poll_fn;
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::error::SqliteFailure;
use super::{BUSY_TIMEOUT, Inner, SqliteStore};
use crate::ports::PortError;

/// Between two looks whether another process has finished writing.
const BUSY_PAUSE: Duration = Duration::from_micros(200);

/// The one connection, and the transaction that is open on it. Dropped, it commits what it has gathered.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    open: Option<Arc<Group>>,
    /// Changes that have gone into the open group.
    changes: u32,
    /// Changes after which a group is committed; 1 but for a store that gathers.
    gathers: u32,
    /// The group of a store that gathers which could not be committed, although its calls had been answered.
    lost: Option<Arc<Group>>,
}

/// One transaction; how it ended, once it has.
#[derive(Debug, Default)]
struct Group {
    end: OnceLock<Result<(), SqliteFailure>>,
}

/// A call's part in a group. One that is dropped before its end was awaited commits the group, because the file
/// stays locked until then.
struct Member<'a> {
    inner: &'a Inner,
    group: Arc<Group>,
}

impl Session {
    /// `gathers`: changes that share a transaction; 1 where each call is committed before it is answered.
    pub(super) fn new(connection: Connection, gathers: u32) -> Self {
        Self { connection, open: None, changes: 0, gathers, lost: None }
    }

    fn is_gathering(&self) -> bool {
        self.gathers > 1
    }

    /// Errs where answers have been given for what is lost.
    fn is_whole(&self, operation: &'static str, file: &str) -> Result<(), PortError> {
        self.lost.as_ref().map_or(Ok(()), |lost| lost.answer(operation, file))
    }

    /// The group that is open, or a new one. The write lock is taken first, so that what is read still holds when it
    /// is written by, and no two writers wait for each other.
    fn group(&mut self) -> Result<Arc<Group>, SqliteFailure> {
        if let Some(open) = &self.open {
            self.changes += 1;
            return Ok(Arc::clone(open));
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.changes = 1;
        Ok(Arc::clone(self.open.insert(Arc::default())))
    }

    /// The same, without waiting for another handle that writes.
    fn group_now(&mut self) -> Result<Arc<Group>, SqliteFailure> {
        if self.open.is_some() {
            return self.group();
        }
        self.connection.busy_timeout(Duration::ZERO)?;
        let group = self.group();
        self.connection.busy_timeout(BUSY_TIMEOUT)?;
        group
    }

    /// Commits the group that is open, unless more is to be gathered first.
    fn commit_when_due(&mut self) {
        if self.changes >= self.gathers {
            self.commit();
        }
    }

    /// Commits the group that is open, if there is one.
    fn commit(&mut self) {
        let Some(group) = self.open.take() else { return };
        let committed = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if committed.is_err() && !self.connection.is_autocommit() {
            // It must not be taken for the next group's. Where this fails too, that group can't begin, and says why.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        self.ended(group, committed.map(|_| ()).map_err(SqliteFailure::from));
    }

    fn ended(&mut self, group: Arc<Group>, end: Result<(), SqliteFailure>) {
        let is_lost = end.is_err() && self.is_gathering();
        // A group is taken from its session to be ended, so it ends once.
        let _ = group.end.set(end);
        if is_lost {
            self.lost = Some(group);
        }
    }

    /// Runs a call within the open group: all that it changes, or nothing.
    fn change<T>(
        &mut self,
        call: impl FnOnce(&Connection) -> Result<T, SqliteFailure>,
    ) -> Result<T, SqliteFailure> {
        let answer =
            if self.is_gathering() { whole(&self.connection, call) } else { apart(&self.connection, call) };
        self.notice_loss();
        answer
    }

    /// Ends the group that is open where its transaction is no more.
    fn notice_loss(&mut self) {
        // Where a disk is full or fails, SQLite takes back the whole transaction, and so every member's changes.
        if self.connection.is_autocommit()
            && let Some(group) = self.open.take()
        {
            let rolled_back = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK);
            self.ended(group, Err(rusqlite::Error::SqliteFailure(rolled_back, None).into()));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.commit();
    }
}

impl Group {
    /// What its members are told.
    fn answer(&self, operation: &'static str, file: &str) -> Result<(), PortError> {
        match self.end.get() {
            Some(Err(failure)) => Err(failure.to_port(operation, file)),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

/// Runs a call so that it can be taken back alone, and so that all that it reads is of one moment.
pub(super) fn apart<T>(
    connection: &Connection,
    call: impl FnOnce(&Connection) -> Result<T, SqliteFailure>,
) -> Result<T, SqliteFailure> {
    connection.prepare_cached("SAVEPOINT call")?.execute([])?;
    let unless_kept = TakenBack(connection, "ROLLBACK TO call; RELEASE call");
    let answer = call(connection)?;
    connection.prepare_cached("RELEASE call")?.execute([])?;
    std::mem::forget(unless_kept);
    Ok(answer)
}

/// Runs a call of a store that gathers. A savepoint for each would take a tenth of a simulation's time, because SQLite keeps
/// each page as it was before. So a call that fails half-way takes the whole transaction with it.
fn whole<T>(
    connection: &Connection,
    call: impl FnOnce(&Connection) -> Result<T, SqliteFailure>,
) -> Result<T, SqliteFailure> {
    let before = connection.total_changes();
    let unless_kept = TakenBack(connection, "ROLLBACK");
    let answer = call(connection);
    // SQLite takes back by itself what a failed statement has done.
    if answer.is_ok() || connection.total_changes() == before {
        std::mem::forget(unless_kept);
    }
    answer
}

/// Takes a call back that failed or panicked.
struct TakenBack<'a>(&'a Connection, &'static str);

impl Drop for TakenBack<'_> {
    fn drop(&mut self) {
        // It fails where SQLite has taken back more than this already.
        let _ = self.0.execute_batch(self.1);
    }
}

impl Inner {
    /// A panic in an earlier call rolled that call back, or all that was gathered: the lock is good for the next one.
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(|poisoned: PoisonError<MutexGuard<'_, Session>>| {
            let mut session = poisoned.into_inner();
            session.notice_loss();
            session
        })
    }
}

impl Member<'_> {
    /// Waits until the group is committed.
    async fn committed(self, operation: &'static str) -> Result<(), PortError> {
        if !self.inner.session().is_gathering() {
            others_first().await;
        }
        self.commit();
        self.group.answer(operation, &self.inner.file)
    }

    fn commit(&self) {
        if self.group.end.get().is_none() {
            self.inner.session().commit_when_due();
        }
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.commit();
    }
}

impl SqliteStore {
    /// Reads. What it finds is committed when it answers.
    pub(super) async fn look<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&Connection) -> Result<T, SqliteFailure>,
    ) -> Result<T, PortError> {
        let (answer, member) = {
            let session = self.inner.session();
            session.is_whole(operation, &self.inner.file)?;
            let answer = call(&session.connection);
            let waits_for = session.open.clone().filter(|_| !session.is_gathering());
            (answer, waits_for.map(|group| Member { inner: &self.inner, group }))
        };
        if let Some(member) = member {
            member.committed(operation).await?;
        }
        answer.map_err(|failure| self.failed(operation, failure))
    }

    /// Changes something: all that the call writes, or nothing. It is committed when it answers.
    pub(super) async fn change<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&Connection) -> Result<T, SqliteFailure>,
    ) -> Result<T, PortError> {
        let started = Instant::now();
        let (answer, member) = loop {
            let failure = {
                // Before the lock, because a member that is dropped takes it.
                let member;
                let mut session = self.inner.session();
                session.is_whole(operation, &self.inner.file)?;
                match session.group_now() {
                    Ok(group) => {
                        member = Member { inner: &self.inner, group };
                        let answer = session.change(call);
                        break (answer, member);
                    }
                    Err(failure) => failure,
                }
            };
            if !failure.is_of_a_lock() || started.elapsed() > BUSY_TIMEOUT {
                return Err(self.failed(operation, failure));
            }
            // Whoever holds the file may be another handle of this thread, which must come to its commit.
            others_first().await;
            std::thread::sleep(BUSY_PAUSE);
        };
        let committed = member.committed(operation).await;
        let answer = answer.map_err(|failure| self.failed(operation, failure))?;
        committed.map(|()| answer)
    }

    /// Changes something for a caller that does not await.
    pub(super) fn change_at_once<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&Connection) -> Result<T, SqliteFailure>,
    ) -> Result<T, PortError> {
        let (answer, group) = {
            let mut session = self.inner.session();
            session.is_whole(operation, &self.inner.file)?;
            let group = session.group().map_err(|failure| self.failed(operation, failure))?;
            let answer = session.change(call);
            session.commit_when_due();
            (answer, group)
        };
        let answer = answer.map_err(|failure| self.failed(operation, failure))?;
        group.answer(operation, &self.inner.file).map(|()| answer)
    }

    /// Reads for a caller that does not await.
    pub(super) fn look_at_once<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&Connection) -> Result<T, SqliteFailure>,
    ) -> Result<T, PortError> {
        let mut session = self.inner.session();
        session.is_whole(operation, &self.inner.file)?;
        session.commit_when_due();
        call(&session.connection).map_err(|failure| self.failed(operation, failure))
    }

    /// Commits what is open, whether it is due or not. Errs where answers have been given for what is lost.
    pub(super) fn commit_now(&self) -> Result<(), PortError> {
        let mut session = self.inner.session();
        session.commit();
        session.is_whole("commit", &self.inner.file)
    }

    fn failed(&self, operation: &'static str, failure: SqliteFailure) -> PortError {
        failure.into_port(operation, &self.inner.file)
    }
}

/// Lets the tasks and futures run that are ready.
async fn others_first() {
    let mut were_let = false;
    poll_fn(|context| {
        if were_let {
            return Poll::Ready(());
        }
        were_let = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
