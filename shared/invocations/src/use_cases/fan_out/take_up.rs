//! A fan-out, or a branch of one, that is begun or gone on with.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::checkpointed::{Checkpointed, put, read_early, save};
use super::invoke_all::{Came, Ended, Start, Stop, invoke_all};
use super::items::{Items, Kind, count_lines, inline, lines};
use super::place::RunPlace;
use super::tree::Tree;
use super::{FanOutError, LEASE_MS};
use crate::domain::S3Uri;
use crate::fan_out::limits::named_first;
use crate::fan_out::{Checkpoint, CheckpointState, Counts, FanOutCall, Json, Order, Source, Terms};
use crate::ports::{CheckpointStore, Clock, FunctionCaller, ObjectStore, PortError, Version};

/// What is run, by whom, and until when.
#[derive(Debug)]
pub struct FanOut<'a> {
    /// The call.
    pub order: &'a Order,
    /// Where its objects lie.
    pub place: &'a RunPlace,
    /// Of the call: another one under its id is refused.
    pub digest: &'a str,
    /// The request that runs it.
    pub owner: &'a str,
    /// The first of its items.
    pub first: u64,
    /// The one behind the last; `None`: all of the list.
    pub end: Option<u64>,
    /// Bytes of results that are held for those before them in the list.
    pub held_max_bytes: usize,
    /// From then on nothing is started.
    pub stop_starting: Instant,
    /// From then on nothing is waited for.
    pub stop_waiting: Instant,
}

/// How far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every item has its result.
    Complete(Checkpoint),
    /// Its time was over.
    ToBeContinued {
        /// Where it is gone on with.
        checkpoint: Checkpoint,
        /// Whether this invocation brought it further.
        came_further: bool,
    },
    /// Another invocation runs it.
    Elsewhere(Checkpoint),
}

/// A checkpoint, read.
#[derive(Debug)]
enum TakenUp {
    /// It is ours now: as it was, as it is, and its version.
    Ours(Box<(Checkpoint, Checkpoint, Version)>),
    /// There is nothing to do, or somebody else does it.
    Not(Box<End>),
}

/// Runs a fan-out from where it stands until it is complete or its time is over. Also returns what items came to
/// on the way.
///
/// # Errors
///
/// `Refused` where the list is not there, or the id is another call's. Else as [`invoke_all`]; called again, it
/// goes on.
pub async fn run_fan_out<C: FunctionCaller, O: ObjectStore + CheckpointStore, T: Clock>(
    caller: &C,
    objects: &O,
    clock: &T,
    fan_out: &FanOut<'_>,
) -> Result<(End, Counts), FanOutError> {
    let FanOut { order, .. } = fan_out;
    let terms = &order.terms;
    let (before, ours, version) = match take_up(objects, clock, fan_out).await? {
        TakenUp::Ours(taken) => *taken,
        TakenUp::Not(end) => return Ok((*end, Counts::default())),
    };
    let tolerated = tolerated(objects, fan_out).await?;
    let items = open(objects, &order.source, terms, before.next, fan_out.end).await?;
    let early = read_early(objects, &before).await?;
    let early_before = early.len();
    let start = Start {
        done: before.done.clone(),
        suspect_until: before.started,
        started: ours.started,
        early,
        open: before.open.clone(),
        progress: before.progress.clone(),
        quiet: Duration::from_millis(before.quiet_ms),
        tolerated,
    };
    let ledger = Checkpointed::new(objects, clock, fan_out, (ours, version));
    let stop = Stop {
        starting: sleep_until(fan_out.stop_starting),
        waiting: sleep_until(fan_out.stop_waiting),
        counts_rest: false,
    };
    let Came { ended, was_refused, .. } = invoke_all(caller, &ledger, items, terms, start, stop).await?;
    let checkpoint = ledger.into_checkpoint();
    let new = checkpoint.progress.counts.since(&before.progress.counts);
    match ended {
        Ended::Complete => return Ok((End::Complete(checkpoint), new)),
        Ended::Halted(why) => return Err(why),
        Ended::Stopped => {}
    }
    let early_after = read_early(objects, &checkpoint).await?.len();
    // One that was refused all the time is gone on with as long as its call allows.
    let came_further = new.total() > 0 || early_after > early_before || was_refused;
    Ok((End::ToBeContinued { checkpoint, came_further }, new))
}

/// Reads the checkpoint, and makes it ours where nobody else has it.
async fn take_up<O: ObjectStore + CheckpointStore, T: Clock>(
    objects: &O,
    clock: &T,
    fan_out: &FanOut<'_>,
) -> Result<TakenUp, FanOutError> {
    let FanOut { order, place, digest, owner, first, end, .. } = fan_out;
    let stored = objects.load(&place.checkpoint()).await?;
    let (before, version) = match stored {
        None => {
            exists(objects, &order.source).await?;
            (Checkpoint::new((*digest).to_owned(), *first, *end), None)
        }
        Some(stored) => {
            let checkpoint: Checkpoint = serde_json::from_slice(&stored.bytes).map_err(|error| {
                PortError::permanent("read a checkpoint", format!("{}: {error}", place.checkpoint()))
            })?;
            (checkpoint, Some(stored.version))
        }
    };
    if before.digest != *digest {
        let why = format!("the run id {} is another call's; choose another", place.run_id);
        return Err(FanOutError::Refused(why));
    }
    let now = clock.now();
    if before.state == CheckpointState::Complete {
        return Ok(TakenUp::Not(Box::new(End::Complete(before))));
    }
    if before.is_leased(now) {
        return Ok(TakenUp::Not(Box::new(End::Elsewhere(before))));
    }
    let mut ours = before.clone().taken_over(owner, now.plus_millis(LEASE_MS));
    ours.started = before.started.max(before.next + named_first(order.terms.ceiling));
    let version = save(objects, place, &ours, version.as_ref()).await?;
    Ok(TakenUp::Ours(Box::new((before, ours, version))))
}

/// The most that may fail, which a part of all needs the list's length for.
async fn tolerated<O: ObjectStore>(objects: &O, fan_out: &FanOut<'_>) -> Result<Option<u64>, FanOutError> {
    let FanOut { order, first, end, .. } = fan_out;
    let Some(tolerated) = &order.terms.tolerated else { return Ok(None) };
    let total = match (tolerated.needs_total(), end) {
        (false, _) => 0,
        (true, Some(end)) => end - first,
        (true, None) => total(objects, &order.source).await?,
    };
    Ok(Some(tolerated.of(total)))
}

/// How many items a list has.
pub(super) async fn total<O: ObjectStore>(objects: &O, source: &Source) -> Result<u64, FanOutError> {
    match source {
        Source::Payloads(payloads) => Ok(payloads.len() as u64),
        Source::Invocations(invocations) => Ok(invocations.len() as u64),
        Source::PayloadsUri(uri) | Source::InvocationsUri(uri) => {
            Ok(count_lines(reader(objects, uri).await?, &uri.to_string()).await?)
        }
    }
}

async fn open<'a, O: ObjectStore>(
    objects: &O,
    source: &'a Source,
    terms: &'a Terms,
    first: u64,
    end: Option<u64>,
) -> Result<Items<'a>, FanOutError>
where
    O::Reader: 'a,
{
    let (uri, kind) = match source {
        Source::PayloadsUri(uri) => (uri, Kind::Payloads),
        Source::InvocationsUri(uri) => (uri, Kind::Invocations),
        Source::Payloads(_) | Source::Invocations(_) => {
            return Ok(inline(source, terms, first, end).expect("the items are in the call"));
        }
    };
    Ok(lines(reader(objects, uri).await?, &uri.to_string(), kind, terms, first, end).await?)
}

async fn exists<O: ObjectStore>(objects: &O, source: &Source) -> Result<(), FanOutError> {
    match source {
        Source::PayloadsUri(uri) | Source::InvocationsUri(uri) => reader(objects, uri).await.map(|_| ()),
        Source::Payloads(_) | Source::Invocations(_) => Ok(()),
    }
}

async fn reader<O: ObjectStore>(objects: &O, uri: &S3Uri) -> Result<O::Reader, FanOutError> {
    let found = objects.open_object(&uri.key).await?;
    found.ok_or_else(|| FanOutError::Refused(format!("{uri}: there is no such object; upload it first")))
}

/// A call as it is kept for those who go on with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredOrder {
    /// Of the call as it came.
    pub digest: String,
    /// The call, its items as an object.
    pub call: FanOutCall,
    /// How its list is split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Tree>,
}

/// Keeps a call, so that another invocation can go on with it. Done twice, it is done once.
pub async fn store_order<O: ObjectStore>(
    objects: &O,
    place: &RunPlace,
    digest: &str,
    call: &FanOutCall,
    tree: Option<Tree>,
) -> Result<StoredOrder, PortError> {
    let mut call = call.clone();
    let uri = place.uri(&place.input());
    let mut input = Vec::new();
    if let Some(payloads) = call.payloads.take() {
        payloads.iter().for_each(|payload| input.extend(format!("{}\n", Json::line(payload)).into_bytes()));
        call.payloads_uri = Some(uri);
    } else if let Some(invocations) = call.invocations.take() {
        for mut invocation in invocations {
            // An item is one line.
            invocation.payload = invocation.payload.and_then(|payload| Json::parse(&payload.line()).ok());
            input.extend(line_of(&invocation));
        }
        call.invocations_uri = Some(uri);
    }
    if !input.is_empty() {
        put(objects, &place.input(), &input).await?;
    }
    let order = StoredOrder { digest: digest.to_owned(), call, tree };
    put(objects, &place.order(), &line_of(&order)).await?;
    Ok(order)
}

fn line_of(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("it has string keys only");
    line.push(b'\n');
    line
}

/// The call of a fan-out that is gone on with; `None` where none was kept.
pub async fn load_order<O: CheckpointStore>(
    objects: &O,
    place: &RunPlace,
) -> Result<Option<StoredOrder>, PortError> {
    let Some(stored) = objects.load(&place.order()).await? else { return Ok(None) };
    let order = serde_json::from_slice(&stored.bytes);
    order
        .map(Some)
        .map_err(|error| PortError::permanent("read an order", format!("{}: {error}", place.order())))
}
