//! What is wrong, listed up to a bound and counted.

use std::fmt;

use crate::serial::place::{Fault, Place};

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
    pub place: Option<Place>,
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

/// Takes findings.
#[derive(Debug)]
pub(in crate::serial) struct Findings {
    pub(in crate::serial) listed: Vec<Finding>,
    pub(in crate::serial) errors: u64,
    pub(in crate::serial) warnings: u64,
    listed_max: usize,
}

impl Findings {
    pub(in crate::serial) fn up_to(listed_max: usize) -> Self {
        Self { listed: Vec::new(), errors: 0, warnings: 0, listed_max }
    }

    /// Counts a finding, and lists it while there is room.
    pub(in crate::serial) fn add(&mut self, severity: Severity, finding: impl FnOnce() -> Finding) {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.listed.len() < self.listed_max {
            self.listed.push(finding());
        }
    }

    /// Counts a fault of syntax.
    pub(in crate::serial) fn add_fault(&mut self, fault: Fault) {
        let Fault { place, record, message } = fault;
        let severity = Severity::Error;
        self.add(severity, || Finding { severity, record, place, pointer: String::new(), message });
    }
}
