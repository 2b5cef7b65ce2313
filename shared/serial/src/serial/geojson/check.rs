//! The object under the eye.

use super::findings::{Finding, Findings, Severity};
use crate::serial::exact_value::push_step;
use crate::serial::text_position::TextPosition;

/// Where in an input rules are being checked.
pub(in crate::serial) struct Check<'a> {
    findings: &'a mut Findings,
    record: Option<u64>,
    place: Option<TextPosition>,
    pointer: String,
    warns: bool,
}

impl<'a> Check<'a> {
    /// Begins at a record, whose pointer is given. Without `warns`, what is only advised against passes.
    pub(in crate::serial) fn new(
        findings: &'a mut Findings,
        record: Option<u64>,
        place: Option<TextPosition>,
        pointer: String,
        warns: bool,
    ) -> Self {
        Self { findings, record, place, pointer, warns }
    }

    /// Does something one step deeper.
    pub(super) fn at(&mut self, step: &str, then: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        push_step(&mut self.pointer, step);
        then(self);
        self.pointer.truncate(length);
    }

    /// Does something at an element.
    pub(super) fn at_index(&mut self, index: usize, then: impl FnOnce(&mut Self)) {
        self.at(&index.to_string(), then);
    }

    /// A rule is broken here.
    pub(in crate::serial) fn error(&mut self, message: impl Into<String>) {
        self.add(Severity::Error, message.into());
    }

    /// This is advised against.
    pub(in crate::serial) fn warn(&mut self, message: impl Into<String>) {
        if self.warns {
            self.add(Severity::Warning, message.into());
        }
    }

    fn add(&mut self, severity: Severity, message: String) {
        let (record, place, pointer) = (self.record, self.place, &self.pointer);
        self.findings.add(severity, || Finding {
            severity,
            record,
            place,
            pointer: pointer.clone(),
            message,
        });
    }
}
