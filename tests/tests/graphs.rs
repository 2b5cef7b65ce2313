//! Graphs of any depth and width over a job that fails, that loses its host, or that recovers: linear work,
//! on a small stack.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use batchwright::domain::spec::{ArrayProperties, Dependency};
use batchwright::domain::{Cause, FollowUp, JobName, JobSpec, JobState, JobStatus};
use batchwright::engine::{LocalEngine, Scene, VirtualClock};
use batchwright::local::{Controller, End, Mode, Options, Silent, StateDir};
use batchwright::memory::InMemoryJobStore;
use batchwright::ports::{
    ClaimStore as _, Clock as _, JobQueries as _, NoBus, StateStore as _, Unpaced, WorkLists as _,
};
use batchwright::use_cases::reconcile::{ReconcilePolicy, Reconciled, reconcile};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::submit::{Asked, Order, SubmitOutcome, SubmitPolicy, submit};
use batchwright_tests::crash::fuse::Fuse;
use batchwright_tests::crash::fused::Fused;
use batchwright_tests::small_stack::on_a_small_stack;
use batchwright_tests::world::{Ends, START, World, after, exits, loses_host, run_id, spec, succeeds};

/// How the first job of a graph fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    /// It fails for good.
    Fails,
    /// It loses its host once.
    IsLost,
    /// It is an array of which children lose their hosts once.
    Recovers,
}

const ROOTS: [Root; 3] = [Root::Fails, Root::IsLost, Root::Recovers];

impl Root {
    fn spec(self) -> JobSpec {
        match self {
            Self::Fails | Self::IsLost => spec("root"),
            Self::Recovers => array(spec("root"), 2),
        }
    }

    fn script(self) -> impl FnMut(&Scene<'_>) -> Ends + Send + 'static {
        move |scene: &Scene<'_>| match (scene.job_name.as_str(), self) {
            ("root", Self::Fails) => exits(1),
            ("root", Self::IsLost) if scene.submission == 1 => loses_host(),
            ("root", Self::Recovers) if scene.array_index != Some(1) => loses_host(),
            _ => succeeds(),
        }
    }

    /// How the job itself ends, and all behind it. An array is not submitted again for a child that loses its
    /// host, and recovers where it asks for that.
    fn end(self, jobs: &[JobSpec]) -> JobStatus {
        let is_plain_array = jobs.iter().any(|job| job.array_properties.is_some() && !job.resubmit_children);
        match self {
            Self::Fails => JobStatus::Failed,
            Self::IsLost if is_plain_array => JobStatus::Failed,
            Self::IsLost | Self::Recovers => JobStatus::Succeeded,
        }
    }
}

fn array(spec: JobSpec, size: u32) -> JobSpec {
    spec.with(|spec| {
        spec.array_properties = Some(ArrayProperties::new(size));
        spec.resubmit_children = true;
    })
}

fn after_all<'a>(name: &str, dependencies: impl IntoIterator<Item = &'a str>) -> JobSpec {
    let dependency = |name| Dependency::default().with(|it| it.job_name = JobName::parse(name).ok());
    spec(name).with(|spec| spec.depends_on = dependencies.into_iter().map(dependency).collect())
}

fn chain(root: Root, jobs: usize) -> Vec<JobSpec> {
    let name = |at: usize| if at == 0 { "root".to_owned() } else { format!("job-{at}") };
    let behind = (1..jobs).map(|at| after(&name(at), &name(at - 1)));
    std::iter::once(root.spec()).chain(behind).collect()
}

/// Two jobs a layer, each of which depends on both of the layer before.
fn lattice(root: Root, layers: usize) -> Vec<JobSpec> {
    let mut jobs = vec![root.spec()];
    let mut before = vec!["root".to_owned()];
    for layer in 0..layers {
        let names = ["left", "right"].map(|side| format!("{side}-{layer}"));
        jobs.extend(names.iter().map(|name| after_all(name, before.iter().map(String::as_str))));
        before = names.to_vec();
    }
    jobs
}

fn fan_out(root: Root, jobs: usize) -> Vec<JobSpec> {
    let behind = (1..jobs).map(|at| after(&format!("job-{at}"), "root"));
    std::iter::once(root.spec()).chain(behind).collect()
}

/// One job behind so many: an array's children, because Batch takes 20 dependencies at most.
fn fan_in(root: Root, size: usize) -> Vec<JobSpec> {
    let size = u32::try_from(size).expect("an array's size");
    let first = array(spec("root"), size).with(|spec| spec.resubmit_children = root == Root::Recovers);
    vec![first, after("last", "root")]
}

type Store = Fused<InMemoryJobStore>;
type Engine = Fused<LocalEngine>;

/// What a graph cost.
#[derive(Debug, Default)]
struct Cost {
    /// Calls of the store.
    store: usize,
    /// Calls of the engine.
    engine: usize,
    /// Events, each of which is a step of the engine.
    events: usize,
    /// The most store calls for one event.
    most: usize,
    /// Store calls for the end of each job's first submission.
    ends: BTreeMap<JobName, usize>,
}

/// A graph that runs, with its calls counted.
struct Play {
    world: World,
    calls: Fuse,
    engine_calls: Fuse,
    store: Store,
    engine: Engine,
    cost: Cost,
}

impl Play {
    async fn new(script: impl FnMut(&Scene<'_>) -> Ends + Send + 'static) -> anyhow::Result<Self> {
        let world = World::new(script).await?;
        let (calls, engine_calls) = (Fuse::default(), Fuse::default());
        let store = Fused::new(world.store.clone(), &calls);
        let engine = Fused::new(world.engine.inner().clone(), &engine_calls);
        Ok(Self { world, calls, engine_calls, store, engine, cost: Cost::default() })
    }

    fn recorder(&self) -> Recorder<'_, Store, Engine, Unpaced, VirtualClock> {
        Recorder {
            store: &self.store,
            engine: &self.engine,
            // The window of the engine on one machine would keep a pass until jobs end of which it does not hear.
            pace: &Unpaced,
            clock: &self.world.clock,
            bus: &NoBus,
            policy: SubmitPolicy::default(),
        }
    }

    async fn submit(&self, jobs: &[JobSpec]) -> anyhow::Result<()> {
        let (run_id, policy) = (run_id(), SubmitPolicy::default());
        let (pace, clock) = (self.world.engine.inner(), &self.world.clock);
        for spec in jobs {
            let order = Order { spec, run_id: &run_id, asked: Asked::ByPerson { rerun: false }, sheet: None };
            let outcome = submit(&self.store, &self.engine, pace, clock, &policy, &order).await?;
            ensure!(matches!(outcome, SubmitOutcome::Submitted(_)), "{}: {outcome:?}", spec.job_name);
        }
        Ok(())
    }

    async fn record(&mut self, state: &JobState) -> anyhow::Result<()> {
        let before = self.calls.calls();
        Box::pin(self.recorder().record_state(state)).await?;
        let calls = self.calls.calls() - before;
        self.cost.events += 1;
        self.cost.most = self.cost.most.max(calls);
        if state.status.is_terminal() && state.job_id.parent().is_none() {
            self.cost.ends.entry(state.job_name.clone()).or_insert(calls);
        }
        Ok(())
    }

    /// Records events until no job is left, and passes until a pass finds nothing.
    async fn settle(&mut self) -> anyhow::Result<()> {
        loop {
            loop {
                let event = tokio::select! {
                    biased;
                    Some(event) = self.world.events.recv() => event,
                    () = self.world.engine.inner().idle() => break,
                };
                self.record(&event.detail.state()).await?;
            }
            if self.world.events.is_empty() && self.reconcile().await? == Reconciled::default() {
                return Ok(());
            }
        }
    }

    async fn reconcile(&self) -> anyhow::Result<Reconciled> {
        let policy = ReconcilePolicy { silence_ms: 0, ..ReconcilePolicy::default() };
        Ok(Box::pin(reconcile(&self.recorder(), &policy)).await?)
    }

    /// Plays a graph to its end and looks at how it ended.
    async fn whole(root: Root, jobs: &[JobSpec]) -> anyhow::Result<Cost> {
        let mut play = Self::new(root.script()).await?;
        play.submit(jobs).await?;
        play.settle().await?;
        play.judge(root, jobs).await?;
        Ok(Cost { store: play.calls.calls(), engine: play.engine_calls.calls(), ..play.cost })
    }

    async fn judge(&self, root: Root, jobs: &[JobSpec]) -> anyhow::Result<()> {
        let expected = root.end(jobs);
        for spec in jobs {
            let name = &spec.job_name;
            let job = self.world.store.job(name).await?.context("a job is lost")?;
            ensure!(job.status() == Some(expected), "{name}: {:?}", job.status());
            let tries = job.head.job_tries.len();
            ensure!(tries <= 2, "{name} was submitted {tries} times");
        }
        ensure!(self.world.store.unsettled_ends(None).await?.items.is_empty(), "an end is not settled");
        Ok(())
    }
}

/// Plays a shape in two sizes, of which the second is ten times the first, with each root.
async fn is_linear(shape: fn(Root, usize) -> Vec<JobSpec>, small: usize) -> anyhow::Result<()> {
    for root in ROOTS {
        let costs = [
            Box::pin(Play::whole(root, &shape(root, small))).await?,
            Box::pin(Play::whole(root, &shape(root, 10 * small))).await?,
        ];
        let [few, many] = &costs;
        println!(
            "graphs: {root:?}, {} jobs or children: {} store calls, {} engine calls, {} events; ten times less: \
             {}, {}, {}",
            10 * small,
            many.store,
            many.engine,
            many.events,
            few.store,
            few.engine,
            few.events
        );
        for (few, many) in [(few.store, many.store), (few.engine, many.engine), (few.events, many.events)] {
            ensure!(many <= 11 * few, "{root:?}: {few} calls for {small}, {many} for ten times as many");
        }
    }
    Ok(())
}

#[test]
fn a_chain_of_ten_thousand_takes_ten_times_the_work_of_one_of_a_thousand() -> anyhow::Result<()> {
    on_a_small_stack(|| is_linear(chain, 1_000))
}

#[test]
fn a_lattice_of_a_thousand_layers_takes_ten_times_the_work_of_one_of_a_hundred() -> anyhow::Result<()> {
    on_a_small_stack(|| is_linear(lattice, 100))
}

#[test]
fn ten_thousand_jobs_behind_one_take_ten_times_the_work_of_a_thousand() -> anyhow::Result<()> {
    on_a_small_stack(|| is_linear(fan_out, 1_000))
}

#[test]
fn one_job_behind_ten_thousand_children_takes_ten_times_the_work_of_a_thousand() -> anyhow::Result<()> {
    on_a_small_stack(|| is_linear(fan_in, 1_000))
}

#[tokio::test(start_paused = true)]
async fn an_end_in_a_chain_costs_the_same_however_long_the_chain_is() -> anyhow::Result<()> {
    for root in [Root::Fails, Root::IsLost] {
        let mut found = Vec::new();
        for jobs in [10, 100, 1_000] {
            let mut cost = Play::whole(root, &chain(root, jobs)).await?;
            let first = cost.ends.remove(&JobName::parse("root")?).context("the root has ended")?;
            let others: Vec<usize> = cost.ends.values().copied().collect();
            assert!(others.iter().all(|&calls| calls == others[0]), "{root:?}, {jobs} jobs: {others:?}");
            found.push((first, others[0], cost.most));
        }
        println!("graphs: {root:?}: store calls for the root's end, any other, at most: {found:?}");
        assert!(found.iter().all(|costs| *costs == found[0]), "{root:?}: {found:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_event_looks_at_a_hundred_ends_that_wait_and_leaves_the_rest_to_the_reconciler()
-> anyhow::Result<()> {
    let mut found = Vec::new();
    for jobs in [300, 1_000, 3_000] {
        found.push(Play::whole(Root::Recovers, &chain(Root::Recovers, jobs)).await?.most);
    }
    println!("graphs: the most store calls of an event that ends an array at last: {found:?}");
    assert!(found.iter().all(|most| *most == found[0] && *most < 1_500), "{found:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_with_twenty_dependencies_costs_no_more_calls_than_it_has_dependencies() -> anyhow::Result<()> {
    for root in ROOTS {
        let names: Vec<String> = (0..19).map(|at| format!("job-{at}")).chain(["root".to_owned()]).collect();
        let mut jobs: Vec<JobSpec> = (0..19).map(|at| spec(&format!("job-{at}"))).collect();
        jobs.extend([root.spec(), after_all("last", names.iter().map(String::as_str))]);
        let mut play = Play::new(root.script()).await?;
        play.submit(&jobs).await?;
        play.settle().await?;
        let last = play.cost.ends[&JobName::parse("last")?];
        assert!(last <= 20, "{root:?}: {last} store calls");
        assert_eq!(play.world.status("last").await?, Some(root.end(&jobs)), "{root:?}");
    }
    Ok(())
}

/// The state as a process leaves it that dies with the first end: what Batch tells is written, and nothing
/// that follows is done.
#[test]
fn ends_that_were_written_and_never_followed_are_followed_in_linear_work() -> anyhow::Result<()> {
    on_a_small_stack(|| async {
        for root in ROOTS {
            let mut calls = Vec::new();
            for layers in [50, 500] {
                let jobs = lattice(root, layers);
                let mut play = Play::new(root.script()).await?;
                play.submit(&jobs).await?;
                play.world.engine.inner().idle().await;
                while let Ok(event) = play.world.events.try_recv() {
                    play.world.store.apply_state(&event.detail.state(), play.world.now()).await?;
                }
                let before = play.calls.calls();
                play.reconcile().await?;
                calls.push(play.calls.calls() - before);
                play.settle().await?;
                play.judge(root, &jobs).await?;
            }
            println!(
                "graphs: {root:?}, left behind: store calls of the first pass for 50 and 500 layers: {calls:?}"
            );
            ensure!(calls[1] <= 11 * calls[0], "{root:?}: {calls:?}");
        }
        Ok(())
    })
}

#[tokio::test(start_paused = true)]
async fn an_end_that_waits_is_looked_at_when_its_dependency_is_decided_however_that_comes_about()
-> anyhow::Result<()> {
    for root in ROOTS {
        let mut play = Play::new(root.script()).await?;
        let jobs = [root.spec(), after("middle", "root"), after("last", "middle")];
        play.submit(&jobs).await?;
        // The ends come in the wrong order, and twice.
        let mut states = Vec::new();
        play.world.engine.inner().idle().await;
        while let Ok(event) = play.world.events.try_recv() {
            states.push(event.detail.state());
        }
        for state in states.iter().rev().chain(states.iter().rev()) {
            play.record(state).await?;
        }
        let last = play.world.job("last").await?.context("it is lost")?;
        let follow_up = last.latest.map(|latest| latest.follow_up);
        match root {
            Root::Recovers => {
                assert_eq!(
                    follow_up,
                    Some(FollowUp::WaitsFor(JobName::parse("middle")?)),
                    "children run again"
                );
            }
            Root::IsLost => assert_eq!(last.head.job_tries.len(), 2, "it was woken"),
            Root::Fails => assert_eq!(follow_up, Some(FollowUp::Settled)),
        }
        play.settle().await?;
        play.judge(root, &jobs).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dependant_of_an_array_that_failed_with_its_own_dependency_is_told_before_the_children_are_heard()
-> anyhow::Result<()> {
    let mut play = Play::new(Root::Fails.script()).await?;
    let mut middle = after("middle", "root");
    middle.array_properties = Some(ArrayProperties::new(2));
    play.submit(&[spec("root"), middle, after("last", "middle")]).await?;
    play.world.engine.inner().idle().await;
    let mut states = Vec::new();
    while let Ok(event) = play.world.events.try_recv() {
        states.push(event.detail.state());
    }
    // No event of a child comes, and those of the others come last things first.
    for state in states.iter().rev().filter(|state| state.job_id.parent().is_none()) {
        play.record(state).await?;
    }
    let latest = async |name| anyhow::Ok(play.world.job(name).await?.and_then(|job| job.latest));
    let middle = latest("middle").await?.context("it is lost")?;
    assert_eq!(middle.follow_up, FollowUp::Decided, "its children are not heard of");
    let last = latest("last").await?.context("it is lost")?;
    assert_eq!((last.state.cause(), last.follow_up), (Some(Cause::Dependency), FollowUp::Settled));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dependant_of_a_job_whose_next_try_is_refused_ends_with_it() -> anyhow::Result<()> {
    let mut play = Play::new(Root::IsLost.script()).await?;
    play.submit(&[spec("root"), after("last", "root")]).await?;
    play.world.engine.inner().idle().await;
    // Batch has refused the claim under which the root was to be submitted again.
    let root = play.world.job("root").await?.context("it is lost")?;
    let mut states = Vec::new();
    while let Ok(event) = play.world.events.try_recv() {
        states.push(event.detail.state());
    }
    for state in &states {
        play.world.store.apply_state(state, play.world.now()).await?;
    }
    let claim = batchwright::domain::NewClaim {
        spec: root.head.spec.clone(),
        run_id: root.head.run_id.clone(),
        replaces: root.head.job_id.clone(),
        replaced_end: None,
        job_queue: None,
        takes_over: None,
        resets_budget: false,
        on_sheet: false,
        now: play.world.now(),
        expires_at: play.world.clock.now().plus_millis(60_000),
    };
    let granted = play.world.store.claim(&claim).await?;
    let batchwright::domain::ClaimOutcome::Granted(nonce) = granted else { anyhow::bail!("{granted:?}") };
    let end_of_last =
        states.iter().rfind(|state| state.job_name.as_str() == "last").context("it has ended")?;
    play.record(end_of_last).await?;
    let follow_up = |job: Option<batchwright::domain::Job>| Some(job?.latest?.follow_up);
    let waits = FollowUp::WaitsFor(JobName::parse("root")?);
    assert_eq!(follow_up(play.world.job("last").await?), Some(waits), "nobody knows yet");
    play.world.store.release(root.name(), &nonce, Some("the queue is disabled"), play.world.now()).await?;
    play.settle().await?;
    for name in ["root", "last"] {
        let job = play.world.job(name).await?.context("it is lost")?;
        assert_eq!((job.status(), job.head.job_tries.len()), (Some(JobStatus::Failed), 1), "{name}");
        assert_eq!(follow_up(Some(job)), Some(FollowUp::Settled), "{name}");
    }
    Ok(())
}

/// A line of a job file.
fn line(name: &str, dependencies: &[String]) -> serde_json::Value {
    let dependencies: Vec<_> = dependencies.iter().map(|name| serde_json::json!({"jobName": name})).collect();
    serde_json::json!({
        "jobName": name, "jobQueue": "q", "jobDefinition": "d", "command": ["true"], "dependsOn": dependencies,
    })
}

/// A chain of 101 jobs, and a lattice of 33 over an array that may run children again.
fn files() -> [(String, &'static [u64]); 2] {
    let name = |at: usize| format!("c{at}");
    let chain = (0..101).map(|at| line(&name(at), &(at.max(1) - 1..at).map(name).collect::<Vec<_>>()));
    let mut array = line("a", &[]);
    array["arrayProperties"] = serde_json::json!({"size": 6});
    array["resubmitChildren"] = serde_json::json!(true);
    let (mut lattice, mut before) = (vec![array], vec!["a".to_owned()]);
    for layer in 0..16 {
        let names = [0, 1].map(|side| format!("l{layer}-{side}"));
        lattice.extend(names.iter().map(|name| line(name, &before)));
        before = names.to_vec();
    }
    let text = |lines: Vec<serde_json::Value>| lines.iter().map(|line| format!("{line}\n")).collect();
    [(text(chain.collect()), &[11, 12, 15]), (text(lattice), &[34])]
}

/// With their state in a file, as the program runs them.
#[test]
fn files_that_overflowed_the_stack_or_never_ended_come_to_their_end() -> anyhow::Result<()> {
    on_a_small_stack(|| async {
        for (text, seeds) in files() {
            for &seed in seeds {
                let folder = tempfile::tempdir()?;
                let file = folder.path().join("jobs.jsonl");
                std::fs::write(&file, &text)?;
                let options = Options {
                    state_dir: StateDir::new(folder.path().join("state")),
                    vcpus: Some(64),
                    mode: Mode::Simulated { seed },
                };
                let clock = VirtualClock::starting_at(START);
                let mut controller = Box::pin(Controller::open(&options, clock)).await?;
                let running = controller.run(&file, false, Vec::new(), &Silent, std::future::pending());
                let (_, end) = Box::pin(running).await?;
                ensure!(matches!(end, End::Ended(_)), "seed {seed}: {end:?}");
                let unsettled = controller.store().unsettled_ends(None).await?.items;
                ensure!(unsettled.iter().all(|end| end.state.parts() > 0), "seed {seed}: {unsettled:?}");
            }
        }
        Ok(())
    })
}
