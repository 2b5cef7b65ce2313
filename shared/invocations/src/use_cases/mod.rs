//! What is done by the rules of [`crate::fan_out`].

pub mod fan_out;
