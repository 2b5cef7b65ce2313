//! What is wrong, listed up to a bound and counted.

use std::fmt;

use crate::serial::text_position::{Fault, TextPosition};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// A rule is broken.
    Error,
    /// What is advised against, or what readers understand in different ways.
    Warning,
}

/// Something that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// In which record, from 0, as far as it is in one.
    pub record: Option<u64>,
    /// Of a fault of syntax the byte, else where the record begins.
    pub place: Option<TextPosition>,
    /// JSON Pointer (RFC 6901): in a document from its root, in a sequence from the record's.
    pub pointer: String,
    /// What, and the remedy.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(record) = self.record {
            write!(f, "record {record} (from 0): ")?;
        }
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.message)
    }
}

/// Takes findings. Errors and warnings are listed apart: what is wrong must not be hidden behind what is only advised
/// against.
#[derive(Debug)]
pub(in crate::serial) struct Findings {
    listed_errors: Vec<Finding>,
    listed_warnings: Vec<Finding>,
    pub(in crate::serial) errors: u64,
    pub(in crate::serial) warnings: u64,
    listed_max: usize,
}

impl Findings {
    pub(in crate::serial) fn up_to(listed_max: usize) -> Self {
        Self { listed_errors: Vec::new(), listed_warnings: Vec::new(), errors: 0, warnings: 0, listed_max }
    }

    /// Counts a finding, and lists it while there is room.
    pub(in crate::serial) fn add(&mut self, severity: Severity, finding: impl FnOnce() -> Finding) {
        let (count, listed) = match severity {
            Severity::Error => (&mut self.errors, &mut self.listed_errors),
            Severity::Warning => (&mut self.warnings, &mut self.listed_warnings),
        };
        *count += 1;
        if listed.len() < self.listed_max {
            listed.push(finding());
        }
    }

    /// The first errors, then the first warnings while there is room.
    pub(in crate::serial) fn listed(self) -> Vec<Finding> {
        self.listed_errors.into_iter().chain(self.listed_warnings).take(self.listed_max).collect()
    }

    /// Counts a fault of syntax.
    pub(in crate::serial) fn add_fault(&mut self, fault: Fault) {
        let Fault { place, record, message } = fault;
        let severity = Severity::Error;
        self.add(severity, || Finding { severity, record, place, pointer: String::new(), message });
    }
}
