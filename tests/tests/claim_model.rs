//! The claim protocol, explored whole: every order in which submitters, the reconciler, the state handler,
//! Batch, the network and time may act on one job. `--nocapture` shows how much that is.

use batchwright_tests::model::{Explored, Protocol, Scope, Step, Violation, explore};

/// A file delivered twice, two faults, and a submission that fails by itself.
const FILE: Scope = Scope {
    deliveries: 2,
    one_run: false,
    faults: 2,
    max_tries: 2,
    hosts_lost: 0,
    exits: 1,
    foreign: false,
    late_requests: false,
};

/// A file delivered once, one fault, and a lost host: the job is submitted again by batchwright itself.
const RETRY: Scope = Scope { deliveries: 1, faults: 1, hosts_lost: 1, exits: 0, ..FILE };

/// The smallest scope in which a mistake of the protocol shows.
const SMALL: Scope = Scope { deliveries: 1, faults: 2, exits: 0, ..FILE };

/// Events included: of each state that a submission goes through, one may be counted on to arrive.
fn with_events(step: &Step) -> bool {
    step.is_certain() || matches!(step, Step::Event(..))
}

fn holds(name: &str, scope: &Scope, recovers: impl Fn(&Step) -> bool) -> Explored {
    let seen = explore(scope, &Protocol::default(), recovers, |_| true);
    let Explored { states, steps, depth, settled, found } = &seen;
    if let Some(found) = found {
        panic!("{name}: {found}");
    }
    println!(
        "model: {name}: {states} states, {steps} steps, depth {depth}, {settled} settled, 6 properties hold"
    );
    assert!(*settled > 0 && steps > states, "{seen:?}");
    seen
}

/// The mistake leads to that violation, and without it there is none in the same scope.
fn fails(
    name: &str,
    scope: &Scope,
    protocol: &Protocol,
    recovers: impl Fn(&Step) -> bool + Copy,
    violation: Violation,
) {
    let seen = explore(scope, protocol, recovers, |wrong| wrong == violation);
    let Some(found) = seen.found else { panic!("{name}: nothing is wrong in {} states", seen.states) };
    println!("model: mistake: {name}: {violation:?} after {} steps", found.way.len());
    let clean = explore(scope, &Protocol::default(), recovers, |_| true);
    assert!(clean.found.is_none(), "{name}: without the mistake it is wrong too");
}

#[test]
fn a_file_delivered_twice_submits_its_job_once_at_a_time_and_loses_nothing() {
    holds("file delivered twice, two faults", &FILE, Step::is_certain);
}

#[test]
fn a_run_that_goes_on_submits_its_job_once_at_a_time_and_loses_nothing() {
    let scope = Scope { one_run: true, ..FILE };
    holds("one run, delivered twice, two faults", &scope, Step::is_certain);
}

#[test]
fn a_job_whose_host_is_lost_is_submitted_again_once_and_never_forgotten() {
    holds("host lost, one fault", &RETRY, Step::is_certain);
}

#[test]
fn a_job_whose_host_is_lost_may_have_its_file_delivered_again() {
    let scope = Scope { deliveries: 2, faults: 0, ..RETRY };
    holds("host lost, file delivered twice", &scope, Step::is_certain);
}

#[test]
fn another_programs_job_of_the_same_name_is_left_alone() {
    let scope = Scope { foreign: true, exits: 0, ..FILE };
    holds("another program's job of that name", &scope, Step::is_certain);
}

#[test]
fn a_request_that_takes_effect_after_the_quarantine_makes_a_surplus_that_is_found_and_terminated() {
    let scope = Scope { late_requests: true, ..FILE };
    holds("residual window, file delivered twice, two faults", &scope, with_events);
}

#[test]
fn a_request_for_another_try_that_is_late_makes_a_surplus_that_is_found_and_terminated() {
    let scope = Scope { late_requests: true, ..RETRY };
    holds("residual window, host lost, one fault", &scope, with_events);
}

#[test]
fn a_surplus_is_found_by_its_events_alone() {
    let scope = Scope { late_requests: true, ..SMALL };
    let seen = explore(&scope, &Protocol::default(), Step::is_certain, |_| true);
    let found = seen.found.expect("without events nobody hears of a surplus whose submitter is gone");
    assert_eq!(found.violation, Violation::Lost, "{found}");
}

#[test]
fn a_claim_taken_over_unasked_makes_two_submissions() {
    let protocol = Protocol { takes_over_unasked: true, ..Protocol::default() };
    let scope = Scope { deliveries: 2, faults: 1, ..SMALL };
    fails("an expired claim is no obstacle", &scope, &protocol, with_events, Violation::TwoInFlight);
}

#[test]
fn a_claim_given_up_before_batch_is_asked_makes_two_submissions() {
    let protocol = Protocol { releases_before_list: true, ..Protocol::default() };
    fails("release before list", &SMALL, &protocol, with_events, Violation::TwoInFlight);
}

#[test]
fn a_claim_given_up_before_the_next_one_stands_loses_the_job() {
    let protocol = Protocol { releases_before_claim: true, ..Protocol::default() };
    fails("release before claim", &SMALL, &protocol, with_events, Violation::Lost);
}

#[test]
fn without_a_quarantine_there_are_two_submissions() {
    let protocol = Protocol { no_quarantine: true, ..Protocol::default() };
    fails("no quarantine", &SMALL, &protocol, with_events, Violation::TwoInFlight);
}

#[test]
fn adopting_by_name_takes_anothers_job_for_ones_own() {
    let protocol = Protocol { adopts_by_name: true, ..Protocol::default() };
    let scope = Scope { foreign: true, ..SMALL };
    fails("adopt by name", &scope, &protocol, with_events, Violation::NotOurs);
}

#[test]
fn a_claim_that_does_not_ask_for_the_latest_submission_makes_two() {
    let protocol = Protocol { ignores_replaced: true, ..Protocol::default() };
    let scope = Scope { deliveries: 2, faults: 0, ..SMALL };
    fails("the latest submission is not asked for", &scope, &protocol, with_events, Violation::TwoInFlight);
}

#[test]
fn a_submit_job_that_is_repeated_when_its_answer_is_lost_makes_two() {
    let protocol = Protocol { repeats_ambiguous: true, ..Protocol::default() };
    fails(
        "SubmitJob repeated when its answer is lost",
        &SMALL,
        &protocol,
        with_events,
        Violation::TwoInFlight,
    );
}

#[test]
fn a_submit_job_under_a_claim_that_has_expired_makes_two() {
    let protocol = Protocol { starts_late: true, ..Protocol::default() };
    fails("SubmitJob under an expired claim", &SMALL, &protocol, with_events, Violation::TwoInFlight);
}

#[test]
fn an_end_settled_before_it_is_followed_loses_the_job() {
    let protocol = Protocol { settles_first: true, ..Protocol::default() };
    fails("an end settled before it is followed", &RETRY, &protocol, Step::is_certain, Violation::Lost);
}

#[test]
fn an_end_settled_while_anothers_claim_stands_loses_the_job() {
    let protocol = Protocol { settles_undecided: true, ..Protocol::default() };
    fails("an end settled while a claim stands", &RETRY, &protocol, Step::is_certain, Violation::Lost);
}

#[test]
fn a_surplus_that_is_left_alone_runs_on() {
    let protocol = Protocol { spares_surplus: true, ..Protocol::default() };
    let scope = Scope { late_requests: true, ..SMALL };
    fails("a surplus is spared", &scope, &protocol, with_events, Violation::Lost);
}
