//! Stops a process for good at its n-th call to a port.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

/// When a call's process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the call took effect.
    Before,
    /// After it took effect, before its answer.
    After,
}

/// The call at which a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Its number, from 1, counted from the start, or from the death before.
    pub call: usize,
    /// Before or after it took effect.
    pub moment: Moment,
}

/// Where a source calls a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Site {
    pub file: &'static str,
    pub line: u32,
    pub column: u32,
    pub method: &'static str,
}

impl Site {
    /// Whoever calls the function that calls this.
    #[track_caller]
    pub fn caller(method: &'static str) -> Self {
        let at = Location::caller();
        Self { file: at.file(), line: at.line(), column: at.column(), method }
    }
}

/// Counts the calls of all ports of one process, and lets it die at the planned ones. Clones are one fuse.
#[derive(Clone, Default)]
pub struct Fuse(Arc<Mutex<State>>);

impl fmt::Debug for Fuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fuse").finish_non_exhaustive()
    }
}

/// What somebody else does in the midst of a process, before a call takes effect.
type Interjection = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    plan: VecDeque<Point>,
    interjection: Option<(usize, Interjection)>,
    all_calls: usize,
    calls: usize,
    dead: bool,
    deaths: Vec<(Site, Moment)>,
    seen: BTreeSet<Site>,
}

impl Fuse {
    /// Dies at the first point, then, counted anew, at the next, and so on.
    pub fn new(plan: impl IntoIterator<Item = Point>) -> Self {
        Self(Arc::new(Mutex::new(State { plan: plan.into_iter().collect(), ..State::default() })))
    }

    /// Has somebody else act just before the n-th of all calls, whoever makes it.
    pub fn interject(&self, call: usize, act: impl FnOnce() + Send + 'static) {
        self.state().interjection = Some((call, Box::new(act)));
    }

    /// Whether nobody has acted yet.
    pub fn awaits_interjection(&self) -> bool {
        self.state().interjection.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls since the start, or since the last death.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    /// Where it died, in order.
    pub fn deaths(&self) -> Vec<(Site, Moment)> {
        self.state().deaths.clone()
    }

    /// Every place that called.
    pub fn seen(&self) -> BTreeSet<Site> {
        self.state().seen.clone()
    }

    /// Whether a planned death has not come yet.
    pub fn is_armed(&self) -> bool {
        !self.state().plan.is_empty()
    }

    /// Runs a process until its end, or until it dies: then `None`, and everything of it is dropped.
    pub async fn run<T>(&self, process: impl Future<Output = T>) -> Option<T> {
        let mut process = pin!(process);
        let ended = poll_fn(|context| match process.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if self.state().dead => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await;
        if ended.is_none() {
            let mut state = self.state();
            (state.dead, state.calls) = (false, 0);
        }
        ended
    }

    /// Lets a call through, unless the process dies before or after it.
    #[track_caller]
    pub fn call<T, F: Future<Output = T> + Send>(
        &self,
        method: &'static str,
        call: F,
    ) -> impl Future<Output = T> + Send + use<T, F> {
        let (fuse, site) = (self.clone(), Site::caller(method));
        async move {
            let dies = fuse.begin(site);
            if fuse.is_dead() {
                return pending().await;
            }
            let answer = call.await;
            if dies {
                fuse.die(site, Moment::After);
            }
            if fuse.is_dead() {
                drop(answer);
                return pending().await;
            }
            answer
        }
    }

    /// Counts a call. Dies where that is planned before its effect; returns whether it is planned after it.
    pub(super) fn begin(&self, site: Site) -> bool {
        if let Some(act) = self.due_interjection() {
            act();
        }
        let mut state = self.state();
        if state.dead {
            return false;
        }
        state.calls += 1;
        state.seen.insert(site);
        let Some(point) = state.plan.front().copied().filter(|point| point.call == state.calls) else {
            return false;
        };
        state.plan.pop_front();
        if point.moment == Moment::Before {
            state.dead = true;
            state.deaths.push((site, Moment::Before));
        }
        point.moment == Moment::After
    }

    fn due_interjection(&self) -> Option<Interjection> {
        let mut state = self.state();
        if !state.dead {
            state.all_calls += 1;
        }
        let calls = state.all_calls;
        state.interjection.take_if(|(call, _)| *call <= calls).map(|(_, act)| act)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.state().dead
    }

    pub(super) fn die(&self, site: Site, moment: Moment) {
        let mut state = self.state();
        if !state.dead {
            state.dead = true;
            state.deaths.push((site, moment));
        }
    }
}
