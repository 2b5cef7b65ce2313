//! The use case on functions and objects in memory, on paused time.

mod exact;
mod large;
mod limits;
mod results_file;
mod resume;
mod world;
