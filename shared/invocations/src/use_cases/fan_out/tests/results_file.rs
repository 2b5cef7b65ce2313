//! Results in a file, under every way in which a run can end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::world::{call, mixed};
use crate::fan_out::limits::HELD_RESULTS_MAX_BYTES;
use crate::fan_out::{Order, ResultOrder};
use crate::memory::{InMemoryFunctions, Reply};
use crate::ports::{ErrorKind, FunctionCaller, PortError};
use crate::use_cases::fan_out::ledger::{Kept, Ledger, Note, Step};
use crate::use_cases::fan_out::{
    Came, Ended, FanOutError, Items, ResultsFile, Stop, Wanted, inline, invoke_all,
};

const IN_ORDER: ResultOrder = ResultOrder::List { held_max_bytes: HELD_RESULTS_MAX_BYTES };

/// How a run is ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// It comes to its end.
    Never,
    /// Ctrl-C.
    Interrupted(Duration),
    /// Ctrl-C, and again so much later.
    InterruptedTwice(Duration, Duration),
    /// SIGKILL.
    Killed(Duration),
    /// The list can't be read on.
    ListBreaks(usize),
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn results(&self) -> PathBuf {
        self.0.path().join("results.jsonl")
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.results()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn wanted(path: &Path) -> Wanted<'_> {
    Wanted { path, digest: "list", order: IN_ORDER, overwrite: false, resume: false, idempotent: false }
}

/// Runs an order over a file. `None` where it was killed.
async fn run<C: FunctionCaller>(caller: &C, order: &Order, wanted: &Wanted<'_>, end: End) -> Option<Came> {
    let (ledger, start) = ResultsFile::open(wanted).unwrap();
    let items = inline(&order.source, &order.terms, 0, None).unwrap();
    let items = match end {
        End::ListBreaks(at) => {
            let broken = stream::once(async { Err(PortError::permanent("read the list", "it is damaged")) });
            Items::of_one_function(items.take(at).chain(broken).boxed())
        }
        _ => items,
    };
    let far = Duration::from_secs(1 << 30);
    let (starting, waiting) = match end {
        End::Interrupted(at) => (at, far),
        End::InterruptedTwice(at, after) => (at, at + after),
        _ => (far, far),
    };
    let stop = Stop { starting: sleep(starting), waiting: sleep(waiting), counts_rest: true };
    let running = invoke_all(caller, &ledger, items, &order.terms, start, stop);
    let came = match end {
        End::Killed(at) => tokio::time::timeout(at, running).await.ok()?,
        _ => running.await,
    };
    let came = came.unwrap();
    ledger.finish(matches!(came.ended, Ended::Complete)).unwrap();
    Some(came)
}

/// Some are refused now and then, one in forty is slow, one in thirty fails.
fn functions(seed: u64) -> InMemoryFunctions<impl Fn(&str, u32) -> Reply + Clone> {
    InMemoryFunctions::new(move |payload: &str, tries| {
        let index: u64 = payload.parse().unwrap();
        let dice = mixed(&[seed, index]);
        let takes = Duration::from_millis(if dice.is_multiple_of(40) { 1_500 } else { 5 + dice % 50 });
        match () {
            () if (dice / 7).is_multiple_of(8) && tries <= 3 => {
                let kind = ErrorKind::Throttled { retry_after: None };
                Reply::error(Duration::from_millis(2), kind, false)
            }
            () if (dice / 11).is_multiple_of(30) => Reply::failed(takes),
            () => Reply::well(takes, payload),
        }
    })
}

fn ends() -> impl Strategy<Value = End> {
    let ms = |most: u64| (1..most).prop_map(Duration::from_millis);
    prop_oneof![
        ms(3_000).prop_map(End::Interrupted),
        (ms(3_000), ms(400)).prop_map(|(at, after)| End::InterruptedTwice(at, after)),
        ms(3_000).prop_map(End::Killed),
        (0usize..300).prop_map(End::ListBreaks),
    ]
}

fn on_paused_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

fn index(line: &Value) -> u64 {
    line["index"].as_u64().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn however_a_run_ends_and_however_often_it_is_gone_on_with_each_item_has_one_result(
        seed in any::<u64>(), concurrency in 1u64..40, ends in prop::collection::vec(ends(), 1..4),
        is_in_order in any::<bool>(), idempotent in any::<bool>(),
    ) {
        on_paused_time(async {
            let (folder, functions) = (Folder::new(), functions(seed));
            let order = call(300, json!({"concurrency": concurrency, "idempotent": idempotent}));
            let path = folder.results();
            let result_order = if is_in_order { IN_ORDER } else { ResultOrder::Completion };
            let wanted = Wanted { order: result_order, idempotent, ..wanted(&path) };
            let mut in_doubt = 0;
            for end in ends {
                let before = folder.lines();
                let came = run(&functions, &order, &wanted, end).await;
                let lines = folder.lines();
                if !came.as_ref().is_some_and(|came| matches!(came.ended, Ended::Complete)) {
                    assert_eq!(lines[..before.len()], before[..], "nothing that was written is changed");
                }
                let tried = functions.seen().tries;
                match (&came, end) {
                    (None, _) | (_, End::InterruptedTwice(..)) => in_doubt += concurrency,
                    _ => {}
                }
                if came.is_some() {
                    let named: std::collections::BTreeSet<String> =
                        lines.iter().map(|line| index(line).to_string()).collect();
                    for item in tried.keys() {
                        assert!(named.contains(item), "{end:?}: {item} was sent and has no line");
                    }
                }
            }
            let came = run(&functions, &order, &wanted, End::Never).await.unwrap();
            assert!(matches!(came.ended, Ended::Complete), "{came:?}");
            assert_eq!(came.progress.counts.total(), 300);
            let lines = folder.lines();
            let mut indices: Vec<u64> = lines.iter().map(index).collect();
            if !is_in_order {
                indices.sort_unstable();
            }
            assert!(indices.iter().copied().eq(0..300), "{indices:?}");
            let seen = functions.seen();
            let unknown = lines.iter().filter(|line| line["outcome"] == "UNKNOWN").count() as u64;
            assert!(unknown <= in_doubt, "{unknown} of at most {in_doubt} in flight");
            for line in &lines {
                let runs = seen.runs.get(&index(line).to_string()).copied().unwrap_or(0);
                assert!(runs <= 1 || idempotent, "{line} ran {runs} times");
                match line["outcome"].as_str().unwrap() {
                    "SUCCEEDED" | "FUNCTION_ERROR" => assert!(runs >= 1, "{line}"),
                    "UNKNOWN" => assert!(!idempotent, "{line}"),
                    other => panic!("{other}: {line}"),
                }
            }
            let again = run(&functions, &order, &wanted, End::Never).await.unwrap();
            assert_eq!((functions.seen().calls, folder.lines()), (seen.calls, lines), "nothing is left to do");
            assert_eq!(again.progress.counts, came.progress.counts);
        });
    }
}

fn refused(wanted: &Wanted<'_>) -> String {
    match ResultsFile::open(wanted) {
        Err(FanOutError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_there_is_never_replaced_unasked() {
    let folder = Folder::new();
    let path = folder.results();
    assert!(
        refused(&Wanted { resume: true, ..wanted(&path) })
            .ends_with("there is no run to go on with; leave --resume out")
    );
    std::fs::write(&path, "mine\n").unwrap();
    assert!(refused(&wanted(&path)).contains("holds something that no run has left there"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine\n");
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 1, "nothing is left behind");

    let anew = Wanted { overwrite: true, ..wanted(&path) };
    let held = ResultsFile::open(&anew).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    assert!(refused(&wanted(&path)).contains("another run writes these results"));
    drop(held);
    let other = refused(&Wanted { digest: "another", ..wanted(&path) });
    assert!(other.contains("results.jsonl: its results are of another list or another call"), "{other}");
    std::fs::write(&path, "{\"index\":0}\n").unwrap();
    assert!(refused(&wanted(&path)).contains("line 1 is no result"));
    // A device is read without end.
    assert!(refused(&wanted(Path::new("/dev/zero"))).contains("is no regular file"));
    assert!(refused(&wanted(folder.0.path())).contains("is no regular file"));
}

#[test]
fn results_that_are_gone_are_not_begun_anew() {
    on_paused_time(async {
        let (folder, functions) = (Folder::new(), functions(1));
        let path = folder.results();
        let order = call(50, json!({}));
        run(&functions, &order, &wanted(&path), End::Interrupted(Duration::from_millis(20))).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let why = refused(&wanted(&path));
        assert!(why.contains("is gone, though") && why.contains("that 50 items were begun"), "{why}");
        assert!(!path.exists());
    });
}

#[test]
fn a_write_that_was_cut_off_by_a_kill_is_no_result() {
    on_paused_time(async {
        let (folder, functions) = (Folder::new(), functions(2));
        let (path, order) = (folder.results(), call(40, json!({"concurrency": 4})));
        assert!(
            run(&functions, &order, &wanted(&path), End::Killed(Duration::from_millis(150))).await.is_none()
        );
        let lines = folder.lines().len();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(b"{\"index\":39,\"outc");
        std::fs::write(&path, bytes).unwrap();
        let came =
            run(&functions, &order, &Wanted { resume: true, ..wanted(&path) }, End::Never).await.unwrap();
        assert!(lines < 40 && matches!(came.ended, Ended::Complete));
        assert_eq!(folder.lines().iter().map(index).collect::<Vec<_>>(), (0..40).collect::<Vec<_>>());
    });
}

#[test]
fn where_results_can_t_be_written_they_go_elsewhere_and_nothing_more_is_started() {
    on_paused_time(async {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let writer = crate::use_cases::fan_out::StandardOutput::new(full, "standard output");
        let ledger = crate::use_cases::fan_out::StreamedLedger::new(writer);
        let (order, functions) = (call(500, json!({"concurrency": 4})), functions(3));
        let items = inline(&order.source, &order.terms, 0, None).unwrap();
        let far = Duration::from_secs(1 << 30);
        let stop = Stop { starting: sleep(far), waiting: sleep(far), counts_rest: true };
        let came =
            invoke_all(&functions, &ledger, items, &order.terms, Default::default(), stop).await.unwrap();
        let Ended::Halted(why) = came.ended else { panic!("{came:?}") };
        let why = why.to_string();
        assert!(why.contains("standard output can't be written: No space left on device"), "{why}");
        let place = why.rsplit_once(" are in ").unwrap().1.to_owned();
        let lines = std::fs::read_to_string(&place).unwrap();
        std::fs::remove_file(&place).unwrap();
        let seen = functions.seen();
        assert_eq!(lines.lines().count(), seen.tries.len(), "each that was sent has its result there");
        assert!(seen.tries.len() < 100, "{}", seen.tries.len());
    });
}

/// Items that have their result in the file or in its journal.
fn kept(results: &Path) -> BTreeSet<u64> {
    let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let (written, noted) = (text(results), text(&results.with_extension("jsonl.journal")));
    let written = written.lines().filter_map(|line| read(line)["index"].as_u64());
    written.chain(noted.lines().filter_map(|line| read(line)["early"][0].as_u64())).collect()
}

/// Looks, whenever an item is about to be sent, how many a kill would leave in doubt.
struct Watching {
    ledger: ResultsFile,
    results: PathBuf,
    begun: AtomicUsize,
    in_doubt: AtomicUsize,
}

impl Ledger for Watching {
    fn step_bytes(&self) -> usize {
        self.ledger.step_bytes()
    }

    fn order(&self) -> ResultOrder {
        self.ledger.order()
    }

    fn is_handed_on(&self) -> bool {
        self.ledger.is_handed_on()
    }

    fn keeps_early(&self) -> bool {
        self.ledger.keeps_early()
    }

    fn note(&self, note: Note) -> Result<(), FanOutError> {
        self.ledger.note(note)?;
        let begun = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        self.in_doubt.fetch_max(begun - kept(&self.results).len(), Ordering::Relaxed);
        Ok(())
    }

    async fn keep(&self, step: Step) -> Result<Kept, FanOutError> {
        self.ledger.keep(step).await
    }

    async fn put_aside(&self, name: &str, bytes: &[u8]) -> Result<Option<String>, PortError> {
        self.ledger.put_aside(name, bytes).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_is_used_again_once_the_result_that_left_it_is_kept() {
    let folder = Folder::new();
    let (ledger, start) = ResultsFile::open(&wanted(&folder.results())).unwrap();
    let (begun, in_doubt) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let ledger = Watching { ledger, results: folder.results(), begun, in_doubt };
    // All of a round land at once, but one.
    let functions = InMemoryFunctions::new(|payload: &str, _| {
        let is_late = payload.parse::<u64>().unwrap() % 10 == 3;
        Reply::well(Duration::from_millis(if is_late { 35 } else { 10 }), payload)
    });
    let order = call(400, json!({"concurrency": 10}));
    let items = inline(&order.source, &order.terms, 0, None).unwrap();
    let never = || std::future::pending::<()>();
    let stop = Stop { starting: never(), waiting: never(), counts_rest: true };
    let came = invoke_all(&functions, &ledger, items, &order.terms, start, stop).await.unwrap();
    assert!(matches!(came.ended, Ended::Complete));
    assert_eq!(kept(&folder.results()).len(), 400);
    assert_eq!(ledger.in_doubt.into_inner(), 10);
}
