//! What every `JobStore` does, one suite a port. A case of one port prepares its store by the others' calls.

mod children;
mod claims;
mod follow_ups;
mod queries;
mod recording;
mod removal;
mod states;
mod work_lists;

use anyhow::Context as _;
use batchwright::ports::JobStore;

use super::run_cases;

/// More than any adapter puts on one page.
const MANY: usize = 1_100;

/// Runs the suites of all five ports. Needs a runtime with several threads, because some cases race.
pub async fn holds<S: JobStore + Clone + 'static>(
    make: impl AsyncFn() -> anyhow::Result<S>,
) -> anyhow::Result<()> {
    claim_store(&make).await?;
    state_store(&make).await?;
    work_lists(&make).await?;
    job_queries(&make).await?;
    job_removal(&make).await
}

/// Runs the cases of `ClaimStore`.
pub async fn claim_store<S: JobStore + Clone + 'static>(
    make: &impl AsyncFn() -> anyhow::Result<S>,
) -> anyhow::Result<()> {
    run_cases!(make;
        claims::a_new_job_gets_its_head_by_its_claim,
        claims::a_claim_that_stands_is_held_even_when_it_has_expired,
        claims::a_claim_that_expects_another_latest_submission_is_replaced_and_changes_nothing,
        claims::of_eight_concurrent_claimers_exactly_one_is_granted,
        claims::a_claim_takes_the_place_of_an_expired_one_while_that_stands,
        claims::of_eight_concurrent_claimers_one_takes_an_expired_claim_over,
        claims::a_claim_is_released_by_its_own_nonce_alone_and_once,
        claims::a_claim_takes_the_place_of_the_one_it_names_and_of_no_other,
        claims::a_later_claim_takes_on_its_spec_and_run_and_may_start_the_budget_anew,
        claims::a_head_names_the_latest_hundred_of_its_tries_and_counts_the_others,
        claims::a_claim_keeps_how_the_submission_ended_that_it_replaces_and_where_the_next_goes,
        recording::a_recorded_submission_is_the_jobs_latest,
        recording::known_surplus_and_unknown_submissions_are_told_apart,
        recording::an_event_that_came_first_keeps_its_state,
        recording::of_eight_concurrent_submissions_under_one_claim_one_is_recorded,
        recording::eight_concurrent_recorders_of_one_submission_record_it_once,
        recording::either_the_release_or_the_record_takes_the_claim,
        recording::a_submission_of_another_program_is_taken_in_without_a_claim,
        recording::of_eight_concurrent_submissions_of_others_one_is_taken_in,
    )
}

/// Runs the cases of `StateStore`.
pub async fn state_store<S: JobStore + Clone + 'static>(
    make: &impl AsyncFn() -> anyhow::Result<S>,
) -> anyhow::Result<()> {
    run_cases!(make;
        children::what_is_known_of_lost_children_is_kept_until_their_end,
        children::an_array_whose_children_succeeded_at_last_counts_as_succeeded,
        children::a_later_submission_of_a_recovered_array_counts_by_itself,
        states::states_are_applied_as_the_transition_decides,
        states::any_order_and_number_of_deliveries_converges,
        states::concurrent_deliveries_converge,
        states::a_terminal_state_never_changes,
        states::a_state_is_kept_whole,
        states::children_and_nodes_are_apart_from_their_parent,
        states::a_reason_that_comes_later_is_kept_while_the_submission_is_in_flight,
        states::logs_are_kept_and_survive_a_later_state,
    )
}

/// Runs the cases of `WorkLists`.
pub async fn work_lists<S: JobStore + Clone + 'static>(
    make: &impl AsyncFn() -> anyhow::Result<S>,
) -> anyhow::Result<()> {
    run_cases!(make;
        work_lists::ends_with_loose_ends_stay_in_view_until_they_are_settled,
        follow_ups::an_end_waits_for_one_job_until_more_is_decided,
        follow_ups::only_ends_with_loose_ends_have_a_follow_up,
        follow_ups::those_that_wait_are_on_the_list_of_the_job_that_they_wait_for_and_on_no_other,
        follow_ups::waiting_ends_of_many_pages_come_each_once,
        work_lists::only_what_has_not_ended_and_not_changed_is_silent,
        work_lists::what_batch_had_no_news_of_is_silent_again_later,
        work_lists::lists_that_are_cut_short_leave_nobody_waiting_for_ever,
        work_lists::logs_are_unfinished_from_the_end_until_they_are_complete,
        work_lists::only_claims_that_stand_and_have_expired_are_listed,
        work_lists::lists_of_claims_of_many_pages_hold_each_once,
        work_lists::a_claim_on_a_sheet_is_found_by_it_until_it_is_closed,
        work_lists::a_sheet_that_was_left_is_closed_when_none_of_its_claims_stands,
    )
}

/// Runs the cases of `JobQueries`.
pub async fn job_queries<S: JobStore + Clone + 'static>(
    make: &impl AsyncFn() -> anyhow::Result<S>,
) -> anyhow::Result<()> {
    run_cases!(make;
        queries::jobs_named_answers_in_the_order_of_the_names,
        queries::an_empty_store_has_empty_lists,
        queries::a_job_counts_once_by_its_latest_submission,
        queries::a_job_belongs_to_the_run_that_claimed_it_last,
        queries::lists_of_jobs_of_many_pages_hold_each_once,
        queries::lists_of_children_of_many_pages_hold_each_once,
    )
}

/// Runs the cases of `JobRemoval`.
pub async fn job_removal<S: JobStore + Clone + 'static>(
    make: &impl AsyncFn() -> anyhow::Result<S>,
) -> anyhow::Result<()> {
    run_cases!(make;
        removal::without_its_latest_submission_the_one_before_is_the_jobs_latest,
        removal::a_submission_takes_its_children_and_nodes_along,
        removal::a_job_without_its_only_submission_is_unsubmitted,
        removal::an_earlier_try_takes_its_share_of_the_budget_along,
        removal::a_child_goes_alone,
        removal::a_job_goes_with_all_that_is_known_of_it,
        removal::a_job_is_pruned_only_as_it_was_read,
    )
}
