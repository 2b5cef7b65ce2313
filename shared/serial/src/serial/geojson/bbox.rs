//! Bounding boxes.

use super::check::Check;
use crate::serial::exact_value::ExactValue;

/// RFC 7946, 5: the lowest of all axes, then the highest. West may lie east of east, across the antimeridian.
pub(super) fn bbox(check: &mut Check<'_>, tree: &ExactValue) {
    let numbers: Option<Vec<f64>> =
        tree.as_list().and_then(|items| items.iter().map(ExactValue::as_f64).collect());
    let Some(numbers) = numbers else {
        return check.error("a bbox must be an array of numbers");
    };
    if !matches!(numbers.len(), 4 | 6) {
        return check
            .error(format!("a bbox has 4 numbers, or 6 with heights; this one has {}", numbers.len()));
    }
    let (low, high) = numbers.split_at(numbers.len() / 2);
    if low[1] > high[1] {
        check.error("the bbox's south lies north of its north; write west, south, east, north");
    }
    if low.get(2) > high.get(2) {
        check.error("the bbox's lowest height lies above its highest");
    }
}
