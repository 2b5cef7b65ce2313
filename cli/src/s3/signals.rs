//! Signals that end the program: what it has begun is taken back first.

use std::future::Future;
use std::io;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::select_all;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use super::place::Reach;
use crate::exit::{Exit, Failure};

/// Until uploads are left as they are: who ends a program wants it to end.
const PATIENCE: Duration = Duration::from_secs(10);

const NAMES: [(SignalKind, &str); 3] = [
    (SignalKind::interrupt(), "SIGINT"),
    (SignalKind::terminate(), "SIGTERM"),
    (SignalKind::hangup(), "SIGHUP"),
];

/// Does the work until a signal comes. Then the work is dropped, which removes temporary files and aborts uploads, and
/// the program ends by the signal when that is done: at once where another one comes.
pub(crate) async fn unless_ended(
    reach: &Reach,
    work: impl Future<Output = Result<Exit, Failure>>,
) -> Result<Exit, Failure> {
    let mut signals = Signals::listen().context("signals can't be listened for")?;
    let mut work = Box::pin(work);
    let (kind, name) = tokio::select! {
        ended = &mut work => return ended,
        came = signals.next() => came,
    };
    drop(work);
    eprintln!("batchwright: {name}: what was not written whole is taken back");
    tokio::select! {
        () = reach.uploads_settled() => {}
        _ = signals.next() => {}
        () = sleep(PATIENCE) => eprintln!("batchwright: an upload could not be aborted; `s3 uploads --abort-older` does it later"),
    }
    Ok(Exit::Signal(kind.as_raw_value()))
}

struct Signals(Vec<(Signal, SignalKind, &'static str)>);

impl Signals {
    fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let heard = NAMES.into_iter().filter(|(kind, _)| ignored >> (kind.as_raw_value() - 1) & 1 == 0);
        let streams: io::Result<_> = heard.map(|(kind, name)| Ok((signal(kind)?, kind, name))).collect();
        streams.map(Self)
    }

    async fn next(&mut self) -> (SignalKind, &'static str) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let waits = self.0.iter_mut().map(|(stream, kind, name)| {
            Box::pin(async move {
                stream.recv().await;
                (*kind, *name)
            })
        });
        select_all(waits).await.0
    }
}

/// The signals that the caller has the program ignore, a bit each: `nohup` does so with SIGHUP, and a shell with SIGINT
/// of what runs in the background. Listening for one would end that.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
