//! Conversions between the units in which memory is asked for. Batch's `MEMORY` is in MiB.

const BYTES_PER_GB: f64 = 1e9;
const BYTES_PER_MIB: f64 = 1_048_576.0;
const MIB_PER_GIB: f64 = 1_024.0;

/// Gigabytes (10⁹ bytes) in MiB.
pub fn gb_to_mib(gb: f64) -> f64 {
    gb * BYTES_PER_GB / BYTES_PER_MIB
}

/// Gigabytes (10⁹ bytes) in GiB.
pub fn gb_to_gib(gb: f64) -> f64 {
    gb_to_mib(gb) / MIB_PER_GIB
}

/// GiB in MiB.
pub fn gib_to_mib(gib: f64) -> f64 {
    gib * MIB_PER_GIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_convert() {
        assert!((gb_to_mib(1.0) - 953.674).abs() < 0.001);
        assert!((gb_to_gib(1.0) - 0.931_323).abs() < 0.000_001, "a GB is fewer GiB");
        assert!((gib_to_mib(1.5) - 1_536.0).abs() < f64::EPSILON);
    }
}
