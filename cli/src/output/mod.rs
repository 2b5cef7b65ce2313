//! What is printed: tables for people, JSON for programs. Data goes to stdout, everything else to stderr.

#[macro_use]
pub(crate) mod streams;

pub(crate) mod human;
pub(crate) mod job_view;
pub(crate) mod overview;
pub(crate) mod progress;
pub(crate) mod records;
pub(crate) mod screen;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod try_view;
