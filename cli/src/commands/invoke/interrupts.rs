//! Ctrl-C, SIGTERM and SIGHUP, counted, and a reader of the results who has gone.

use std::fs::File;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Failure;

/// The exit code of an interrupted program.
const INTERRUPTED: i32 = 130;

/// How often the program was asked to end.
#[derive(Debug, Clone)]
pub(super) struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Listens from now on. The third one ends the program at once, also where standard output hangs. That nobody reads
    /// `results` any more counts as the first: the write that fails may be long in coming, because results come in order.
    pub(super) fn listen(results: Option<File>) -> Result<Self, Failure> {
        let of = |kind| signal(kind).context("signals can't be listened for");
        let (mut int, mut term, mut hup) =
            (of(SignalKind::interrupt())?, of(SignalKind::terminate())?, of(SignalKind::hangup())?);
        let (counts, count) = watch::channel(0);
        if let Some(results) = results {
            let counts = counts.clone();
            std::thread::spawn(move || {
                if has_lost_its_reader(&results) {
                    counts.send_modify(|count| *count = (*count).max(1));
                }
            });
        }
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = int.recv() => {}
                    _ = term.recv() => {}
                    _ = hup.recv() => {}
                }
                counts.send_modify(|count| *count += 1);
                match *counts.borrow() {
                    1 => eprintln!(
                        "interrupted: nothing more is started; waiting for what is under way, once more does not"
                    ),
                    2 => {}
                    _ => std::process::exit(INTERRUPTED),
                }
            }
        });
        Ok(Self(count))
    }

    pub(super) fn first(&self) -> impl Future<Output = ()> + Send + use<> {
        self.at_least(1)
    }

    pub(super) fn second(&self) -> impl Future<Output = ()> + Send + use<> {
        self.at_least(2)
    }

    fn at_least(&self, number: u32) -> impl Future<Output = ()> + Send + use<> {
        let mut count = self.0.clone();
        async move {
            if count.wait_for(|count| *count >= number).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Waits until nobody reads from a pipe any more. What is no pipe is waited for in vain.
fn has_lost_its_reader(pipe: &File) -> bool {
    loop {
        // An error is told of whatever is asked for.
        let mut wanted = [PollFd::new(pipe, PollFlags::empty())];
        match poll(&mut wanted, None) {
            Ok(_) => return wanted[0].revents().contains(PollFlags::ERR),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
