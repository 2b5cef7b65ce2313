//! The limit against a service whose room changes, by events on a clock of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::concurrency::{Concurrency, Ticket};

/// A refusal comes back so late.
const REFUSAL: Duration = Duration::from_millis(10);

/// What happens, and with which ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ends(Ticket),
    IsRefused(Ticket),
}

/// What was seen between two changes of the room.
#[derive(Debug, Clone, Copy, Default)]
struct Phase {
    room: usize,
    /// Seconds of running functions.
    used_s: f64,
    lasted_s: f64,
    calls: u64,
    refused: u64,
    /// Until nearly all of the room was used.
    filled_after_s: Option<f64>,
}

impl Phase {
    fn share(&self) -> f64 {
        self.used_s / (self.room as f64 * self.lasted_s)
    }
}

/// An endless list of calls that take `takes` each, at most `ceiling` at once. The room is given with how long it
/// stays so.
fn simulate(ceiling: u32, takes: Duration, rooms: &[(usize, u64)]) -> Vec<Phase> {
    let mut limit = Concurrency::below(ceiling);
    let (mut events, mut now) = (BinaryHeap::new(), Duration::ZERO);
    let (mut under_way, mut running, mut phases) = (0, 0, Vec::new());
    for (room, lasts_s) in rooms {
        let begun = now;
        let until = begun + Duration::from_secs(*lasts_s);
        let mut phase = Phase { room: *room, lasted_s: *lasts_s as f64, ..Phase::default() };
        while now < until {
            limit.grow(under_way, now);
            while limit.has_room(under_way, now) {
                under_way += 1;
                phase.calls += 1;
                let ticket = limit.sent(under_way);
                if running < *room {
                    running += 1;
                    events.push(Reverse((now + takes, Event::Ends(ticket))));
                } else {
                    phase.refused += 1;
                    events.push(Reverse((now + REFUSAL, Event::IsRefused(ticket))));
                }
                limit.grow(under_way, now);
            }
            if running * 20 >= room * 19 {
                phase.filled_after_s.get_or_insert((now - begun).as_secs_f64());
            }
            let ends = events.peek().map(|Reverse((at, _))| *at);
            let wakes = limit.opens_at(under_way, now).map(|at| at.max(now + Duration::from_millis(1)));
            let at = [ends, wakes].into_iter().flatten().min().unwrap_or(until);
            let at_most = at.min(until);
            phase.used_s += (at_most - now).as_secs_f64() * running.min(*room) as f64;
            now = at_most;
            if at > until || ends != Some(at) {
                continue;
            }
            match events.pop().map(|Reverse((_, event))| event) {
                Some(Event::Ends(ticket)) => {
                    (running, under_way) = (running - 1, under_way - 1);
                    limit.answered(ticket);
                }
                Some(Event::IsRefused(ticket)) => {
                    under_way -= 1;
                    limit.refused(ticket, under_way, now, None);
                }
                None => {}
            }
        }
        phases.push(phase);
    }
    phases
}

/// Room that is steady, falls, is gone for a minute, comes back, and grows tenfold.
const ROOMS: &[(usize, u64)] = &[(60, 60), (20, 60), (0, 60), (60, 60), (600, 60)];

#[test]
fn the_room_is_used_refusals_are_few_and_new_room_is_found_in_seconds() {
    println!("| function takes | room | share used | calls | refused | filled after s |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for takes_ms in [20, 100, 2_000, 60_000] {
        let phases = simulate(1_000, Duration::from_millis(takes_ms), ROOMS);
        for phase in &phases {
            let filled = phase.filled_after_s.map_or("-".to_owned(), |s| format!("{s:.1}"));
            let share = if phase.room == 0 { "-".to_owned() } else { format!("{:.2}", phase.share()) };
            let Phase { room, calls, refused, .. } = phase;
            println!("| {takes_ms} ms | {room} | {share} | {calls} | {refused} | {filled} |");
        }
        let [first, less, none, back, more] = phases.as_slice() else { panic!("{phases:?}") };
        for phase in [first, less] {
            assert!(phase.share() > 0.95, "{takes_ms} ms: {phase:?}");
        }
        for phase in &phases {
            let found_out = 256 + phase.calls / 20 + 60;
            assert!(phase.refused < found_out, "{takes_ms} ms: {phase:?}");
        }
        assert!(none.refused < 80, "a blackout is asked about, not hammered: {none:?}");
        assert!(back.filled_after_s.unwrap() < 16.0, "{takes_ms} ms: {back:?}");
        assert!(more.filled_after_s.unwrap() < 16.0, "{takes_ms} ms: {more:?}");
    }
}

#[test]
fn a_large_ceiling_is_reached_by_doubling_whatever_a_function_takes() {
    for takes_s in [1, 60] {
        let phases = simulate(5_000, Duration::from_secs(takes_s), &[(10_000, 10)]);
        let used = phases[0].used_s / 10.0;
        assert!(used > 4_300.0, "{takes_s} s: {used} of 5,000 on average, from the first second on");
        assert_eq!(phases[0].refused, 0);
    }
}

#[test]
fn refusals_by_chance_do_not_close_a_target() {
    for one_of in [33, 7] {
        let mut limit = Concurrency::below(100);
        let mut now = Duration::ZERO;
        for n in 0..20_000_u64 {
            now += Duration::from_micros(200);
            let ticket = limit.sent(limit.limit());
            limit.grow(limit.limit(), now);
            match n % one_of {
                // One that was sent when fewer were under way.
                0 => limit.refused(limit.sent(1), limit.limit() - 1, now, None),
                _ => limit.answered(ticket),
            }
        }
        assert!(limit.limit() > 90, "{limit:?}");
    }
}

#[test]
fn a_hint_is_followed_and_pauses_grow_to_a_bound_and_shrink_again() {
    let mut limit = Concurrency::below(10);
    let ticket = limit.sent(1);
    limit.refused(ticket, 0, Duration::ZERO, Some(Duration::from_secs(7)));
    assert!(!limit.has_room(0, Duration::from_millis(6_999)) && limit.has_room(0, Duration::from_secs(7)));
    let mut now = Duration::from_secs(7);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        limit.refused(limit.sent(1), 0, now, None);
        let opens = limit.opens_at(0, now).unwrap();
        pauses.push((opens - now).as_millis());
        now = opens;
    }
    assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
    assert_eq!((limit.limit(), limit.pauses()), (1, 8));
    for _ in 0..8 {
        limit.answered(limit.sent(1));
    }
    assert_eq!(limit.pauses(), 0);
}
