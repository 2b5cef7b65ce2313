//! How much room there is: at each target, and on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::attempt::{Sendable, Tickets};
use crate::fan_out::Concurrency;

/// Targets that are remembered though nothing of them is under way or waits.
const REMEMBERED: usize = 1_000;

/// One target, and what waits for it.
struct Room {
    limit: Concurrency,
    under_way: usize,
    waiting: BTreeMap<u64, Sendable>,
}

/// All targets. Each has a limit of its own, so that one that is refused holds up its own items alone; one limit
/// for all of them is this machine's, in files, ports and what the endpoint accepts.
pub(super) struct Rooms {
    ceiling: u32,
    under_way: usize,
    pub(super) machine: Concurrency,
    of_target: BTreeMap<String, Room>,
    /// Targets for which something waits.
    wanted: BTreeSet<String>,
    waiting_bytes: usize,
    waiting: usize,
}

impl Rooms {
    pub(super) fn below(ceiling: u32) -> Self {
        Self {
            ceiling,
            under_way: 0,
            machine: Concurrency::below(ceiling),
            of_target: BTreeMap::new(),
            wanted: BTreeSet::new(),
            waiting_bytes: 0,
            waiting: 0,
        }
    }

    fn room(&mut self, target: &str) -> &mut Room {
        // The entry API would allocate the name at each look.
        if !self.of_target.contains_key(target) {
            let limit = Concurrency::below(self.ceiling);
            let room = Room { limit, under_way: 0, waiting: BTreeMap::new() };
            self.of_target.insert(target.to_owned(), room);
        }
        self.of_target.get_mut(target).expect("it was put there")
    }

    /// Whether one more may be sent to whichever target has room.
    pub(super) fn machine_has_room(&mut self, now: Duration) -> bool {
        self.machine.grow(self.under_way, now);
        self.machine.has_room(self.under_way, now)
    }

    /// Whether one more may be sent to a target, widening its limit where its time has come.
    pub(super) fn has_room(&mut self, target: &str, now: Duration) -> bool {
        let room = self.room(target);
        room.limit.grow(room.under_way, now);
        let has_room = room.limit.has_room(room.under_way, now);
        has_room && self.machine_has_room(now)
    }

    /// How many more may be under way, at all targets together or at the only one.
    pub(super) fn free(&self, only: Option<&str>) -> u64 {
        let machine = self.machine.limit().saturating_sub(self.under_way);
        let room = only.and_then(|target| self.of_target.get(target));
        let target = room.map_or(usize::MAX, |room| room.limit.limit().saturating_sub(room.under_way));
        machine.min(target) as u64
    }

    /// How many are under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    /// One more is under way.
    pub(super) fn send(&mut self, target: &str) -> Tickets {
        self.under_way += 1;
        let machine = self.machine.sent(self.under_way);
        let room = self.room(target);
        room.under_way += 1;
        Tickets { target: room.limit.sent(room.under_way), machine }
    }

    /// One has come back.
    pub(super) fn land(&mut self, target: &str) {
        self.under_way -= 1;
        self.room(target).under_way -= 1;
    }

    /// It got through.
    pub(super) fn answered(&mut self, target: &str, tickets: Tickets) {
        self.machine.answered(tickets.machine);
        self.room(target).limit.answered(tickets.target);
        let are_many = self.of_target.len() > REMEMBERED;
        let room = self.room(target);
        if are_many && room.under_way == 0 && room.waiting.is_empty() {
            self.of_target.remove(target);
        }
    }

    /// Its target has no room for it. Returns how often in a row nothing got through.
    pub(super) fn refused(
        &mut self,
        target: &str,
        tickets: Tickets,
        now: Duration,
        hint: Option<Duration>,
    ) -> u32 {
        self.machine.answered(tickets.machine);
        let room = self.room(target);
        room.limit.refused(tickets.target, room.under_way, now, hint);
        room.limit.pauses()
    }

    /// This machine had no connection for it. Returns how often in a row there was none.
    pub(super) fn not_connected(&mut self, tickets: Tickets, now: Duration) -> u32 {
        self.machine.refused(tickets.machine, self.under_way, now, None);
        self.machine.pauses()
    }

    /// An item waits for room at its target.
    pub(super) fn wait(&mut self, item: Sendable) {
        let target = item.prepared.to.function.unqualified().to_owned();
        self.waiting_bytes += item.prepared.payload.len();
        self.waiting += 1;
        self.room(&target).waiting.insert(item.index, item);
        self.wanted.insert(target);
    }

    /// Whether nothing waits at a target.
    pub(super) fn is_free(&self, target: &str) -> bool {
        !self.wanted.contains(target)
    }

    /// The next item that has room.
    pub(super) fn next(&mut self, now: Duration) -> Option<Sendable> {
        if self.wanted.is_empty() || !self.machine_has_room(now) {
            return None;
        }
        let mut found = None;
        for target in &self.wanted {
            let room = self.of_target.get_mut(target).expect("what is waited for is there");
            room.limit.grow(room.under_way, now);
            if room.limit.has_room(room.under_way, now) {
                found = Some(target.clone());
                break;
            }
        }
        let target = found?;
        let room = self.room(&target);
        let (_, item) = room.waiting.pop_first()?;
        if room.waiting.is_empty() {
            self.wanted.remove(&target);
        }
        self.waiting_bytes -= item.prepared.payload.len();
        self.waiting -= 1;
        Some(item)
    }

    /// Takes all that waits.
    pub(super) fn take_all(&mut self) -> Vec<Sendable> {
        let mut taken = Vec::new();
        for target in std::mem::take(&mut self.wanted) {
            taken.extend(std::mem::take(&mut self.room(&target).waiting).into_values());
        }
        (self.waiting, self.waiting_bytes) = (0, 0);
        taken
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Bytes of their payloads.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// When there may be room though nothing comes back, for what waits and for `also`.
    pub(super) fn opens_at(&self, also: Option<&str>, now: Duration) -> Option<Duration> {
        let wanted = self.wanted.iter().map(String::as_str).chain(also);
        let rooms = wanted.filter_map(|target| self.of_target.get(target));
        let target = rooms.filter_map(|room| {
            let is_open = room.limit.has_room(room.under_way, now);
            if is_open { Some(now) } else { room.limit.opens_at(room.under_way, now) }
        });
        let target = target.min()?;
        let machine = if self.machine.has_room(self.under_way, now) {
            now
        } else {
            self.machine.opens_at(self.under_way, now)?
        };
        // Now means that an answer is waited for, or nothing at all: no moment to wake at.
        Some(target.max(machine)).filter(|at| *at > now)
    }
}
