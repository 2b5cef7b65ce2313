//! A scenario, lived through once for every call at which it may die.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::AddAssign;

use anyhow::Context as _;
use batchwright::memory::InMemoryJobStore;
use batchwright::ports::{JobStore, RunStore};

use super::deployment::{Deployment, Recovery};
use super::fuse::{Fuse, Moment, Point, Site};
use super::scenario::Scenario;
use super::verdict::judge;

/// What was tried. A run that violates an invariant is an error, so that none is counted here.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Deployments that lived to their end.
    pub runs: usize,
    /// Calls at which they died, each before and after its effect.
    pub points: usize,
    /// Pairs of deaths, of a function and of what recovers from it.
    pub pairs: usize,
    /// Places of the sources that were died at before the call's effect, and after it.
    pub sites: BTreeSet<(Site, bool)>,
    /// Places of the sources that called a port.
    pub seen: BTreeSet<Site>,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.runs += other.runs;
        self.points += other.points;
        self.pairs += other.pairs;
        self.sites.extend(other.sites);
        self.seen.extend(other.seen);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: BTreeSet<&Site> = self.sites.iter().map(|(site, _)| site).collect();
        write!(
            f,
            "runs {}, crash points {}, pairs {}, places in the sources {}, duplicates 0, losses 0",
            self.runs,
            self.points,
            self.pairs,
            places.len()
        )
    }
}

/// Both moments of a call.
pub const MOMENTS: [Moment; 2] = [Moment::Before, Moment::After];

/// What may follow a death, and at which moment of its call it comes.
fn ways(scenario: &Scenario) -> impl Iterator<Item = (Recovery, Moment)> {
    let late = (!scenario.needs_events).then_some(Recovery::ReconciledFirst);
    let recoveries = std::iter::once(Recovery::Redelivered).chain(late);
    recoveries.flat_map(|recovery| MOMENTS.map(|moment| (recovery, moment)))
}

/// One life by a plan. Returns whether every planned death came.
///
/// # Errors
///
/// Where an invariant does not hold.
pub async fn live<S: JobStore + RunStore + Clone + 'static>(
    scenario: &Scenario,
    open: impl Fn() -> anyhow::Result<S> + 'static,
    plan: &[Point],
    recovery: Recovery,
    leaps: bool,
    figures: &mut Figures,
) -> anyhow::Result<bool> {
    let fuse = Fuse::new(plan.iter().copied());
    let told = || format!("{}, {recovery:?}, {plan:?}, died at {:?}", scenario.name, fuse.deaths());
    let deployment = Deployment::new(scenario, open, fuse.clone(), recovery, leaps).await?;
    let lived = async {
        deployment.live().await?;
        judge(&deployment, scenario).await.map(|_| ())
    };
    lived.await.with_context(told)?;
    figures.runs += 1;
    figures.seen.extend(fuse.seen());
    figures.sites.extend(fuse.deaths().into_iter().map(|(site, moment)| (site, moment == Moment::Before)));
    Ok(!fuse.is_armed())
}

/// Every `stride`-th call, before and after, by each recovery.
///
/// # Errors
///
/// Where an invariant does not hold.
pub async fn singles<S: JobStore + RunStore + Clone + 'static, O: Fn() -> anyhow::Result<S> + 'static>(
    scenario: &Scenario,
    open: impl Fn() -> anyhow::Result<O>,
    stride: usize,
    leaps: bool,
) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    live(scenario, open()?, &[], Recovery::Redelivered, leaps, &mut figures).await?;
    for (recovery, moment) in ways(scenario) {
        for call in (1..).step_by(stride) {
            let plan = [Point { call, moment }];
            if !live(scenario, open()?, &plan, recovery, leaps, &mut figures).await? {
                break;
            }
            figures.points += 1;
        }
    }
    Ok(figures)
}

/// Every `stride`-th pair: what recovers dies as well, at each of its calls. The pairs that are left out
/// differ by the first call, so that every call is among those that are tried.
///
/// # Errors
///
/// Where an invariant does not hold.
pub async fn pairs(scenario: &Scenario, stride: usize) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    for (recovery, moment) in ways(scenario) {
        for call in 1.. {
            let first = Point { call, moment };
            if !live(scenario, in_memory()?, &[first], recovery, false, &mut figures).await? {
                break;
            }
            figures.points += 1;
            for second in MOMENTS {
                for again in (1 + call % stride..).step_by(stride) {
                    let plan = [first, Point { call: again, moment: second }];
                    if !live(scenario, in_memory()?, &plan, recovery, false, &mut figures).await? {
                        break;
                    }
                    figures.pairs += 1;
                }
            }
        }
    }
    Ok(figures)
}

/// A new state in memory.
///
/// # Errors
///
/// Never: it has the form of those that may.
pub fn in_memory() -> anyhow::Result<impl Fn() -> anyhow::Result<InMemoryJobStore> + 'static> {
    let store = InMemoryJobStore::default();
    Ok(move || Ok(store.clone()))
}
