//! What is held in memory at most.

/// Levels of nesting, as serde_json reads them.
pub const DEPTH_MAX: u32 = 127;

/// Levels of nesting in YAML, whose reader and writer take a stack's room for each.
pub const YAML_DEPTH_MAX: u32 = 48;

/// Bytes of white space side by side.
pub(super) const SPACE_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Bounds on what is held at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one record, and of a FeatureCollection's members beside `features`.
    pub record_max_bytes: usize,
    /// Bytes of a document that has to be held as a whole: YAML, and JSON on the way to it.
    pub whole_max_bytes: usize,
}

impl Default for Limits {
    /// 64 MiB for a record, 16 MiB for a whole YAML document.
    fn default() -> Self {
        Self { record_max_bytes: 64 * 1024 * 1024, whole_max_bytes: 16 * 1024 * 1024 }
    }
}
