//! What is done with the ports.

pub mod queries;
