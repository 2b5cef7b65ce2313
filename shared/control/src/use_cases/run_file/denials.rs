//! Refusals that concern the caller: whether they are a verdict on a job, and when the run has to stop.

use std::collections::BTreeMap;

use crate::ports::PortError;

/// Refusals in a row, with no job taken in between, after which the file is not read on. One does not do, because a few jobs
/// may go into a queue that the caller may not use, and the next ones into another.
const IN_A_ROW_MAX: u32 = 20;

/// Refusals in a row after which jobs that were refused before are not tried again.
const AGAIN_MAX: u32 = 3;

/// What an invocation has heard.
#[derive(Debug, Default)]
pub(super) struct Denials {
    /// Jobs that were submitted.
    taken: u64,
    in_a_row: u32,
    last: Option<PortError>,
    /// The jobs that were refused, by their index: how many had been taken by then.
    denied: BTreeMap<u64, u64>,
}

impl Denials {
    /// A job was submitted: the caller may do so.
    pub(super) fn taken(&mut self) {
        self.taken += 1;
        self.in_a_row = 0;
    }

    /// A job was not. Whether that is about the job, after all: others were taken since it was refused first.
    pub(super) fn is_verdict(&mut self, index: u64, error: &PortError) -> bool {
        if self.denied.get(&index).is_some_and(|taken| *taken < self.taken) {
            return true;
        }
        self.denied.entry(index).or_insert(self.taken);
        self.in_a_row += 1;
        self.last = Some(error.clone());
        false
    }

    /// Why the file is not read on.
    pub(super) fn stops_reading(&self) -> Option<PortError> {
        self.last.clone().filter(|_| self.in_a_row >= IN_A_ROW_MAX)
    }

    /// Why nothing is tried again.
    pub(super) fn stops_retries(&self) -> Option<PortError> {
        self.last.clone().filter(|_| self.in_a_row >= AGAIN_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_verdict_where_others_were_taken_since_the_first() {
        let error = PortError::permanent("SubmitJob", "AccessDeniedException: no").of_caller();
        let mut denials = Denials::default();
        denials.taken();
        assert!(!denials.is_verdict(1, &error), "it may be the token that has expired since");
        assert!(!denials.is_verdict(1, &error));
        denials.taken();
        assert!(denials.is_verdict(1, &error));
        assert!(!denials.is_verdict(2, &error), "of another job it is the first");
    }

    #[test]
    fn a_run_stops_after_refusals_in_a_row() {
        let error = PortError::permanent("SubmitJob", "AccessDeniedException: no").of_caller();
        let mut denials = Denials::default();
        for index in 0..100 {
            let stops = (denials.stops_retries().is_some(), denials.stops_reading().is_some());
            assert_eq!(stops, (index >= 3, index >= 20), "{index}");
            assert!(!denials.is_verdict(index, &error));
        }
        denials.taken();
        assert!(denials.stops_retries().is_none());
    }
}
