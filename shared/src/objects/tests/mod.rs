//! The use cases over buckets in memory.
