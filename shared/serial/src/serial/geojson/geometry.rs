//! Coordinates: nesting by type, positions, lines, rings.

use robust::{Coord, orient2d};

use super::check::Check;
use crate::serial::exact_value::ExactValue;

/// Positions of a closed ring. RFC 7946, 3.1.6.
const RING_POSITIONS_MIN: usize = 4;

/// Longitude and latitude.
type Position = (f64, f64);

/// The coordinates of a geometry with a type that has them.
pub(super) fn coordinates(check: &mut Check<'_>, name: &str, tree: &ExactValue) {
    if tree.as_list().is_some_and(<[ExactValue]>::is_empty) {
        return check.warn(
            "the coordinates are empty, which readers may take for no geometry; write null for the geometry",
        );
    }
    match name {
        "Point" => point(check, tree),
        "MultiPoint" => each(check, tree, "a position", point),
        "LineString" => line(check, tree),
        "MultiLineString" => each(check, tree, "a LineString's coordinates", line),
        "Polygon" => polygon(check, tree),
        _ => each(check, tree, "a Polygon's coordinates", polygon),
    }
}

fn each(
    check: &mut Check<'_>,
    tree: &ExactValue,
    what: &str,
    mut then: impl FnMut(&mut Check<'_>, &ExactValue),
) {
    match tree.as_list() {
        Some(items) => {
            for (index, item) in items.iter().enumerate() {
                check.at_index(index, |check| then(check, item));
            }
        }
        None => check.error(format!("an array must stand here, each element {what}")),
    }
}

fn point(check: &mut Check<'_>, tree: &ExactValue) {
    position(check, tree);
}

fn position(check: &mut Check<'_>, tree: &ExactValue) -> Option<Position> {
    let Some(items) = tree.as_list() else {
        check.error("a position must stand here: an array of longitude, latitude and perhaps height");
        return None;
    };
    if let Some(index) = items.iter().position(|item| item.as_f64().is_none()) {
        check.at_index(index, |check| check.error("a position is made of numbers alone"));
        return None;
    }
    let [longitude, latitude, rest @ ..] = items else {
        check.error(format!("a position needs two numbers or more, this one has {}", items.len()));
        return None;
    };
    if rest.len() > 1 {
        check.warn("a position has more than three numbers; what they mean is not laid down");
    }
    let position = (longitude.as_f64()?, latitude.as_f64()?);
    if !(-180.0..=180.0).contains(&position.0) || !(-90.0..=90.0).contains(&position.1) {
        check.warn("the position lies beyond ±180 degrees of longitude or ±90 of latitude; are the two exchanged, or is it projected?");
    }
    Some(position)
}

/// All positions of a line or ring, `None` where one is wrong.
fn positions(check: &mut Check<'_>, items: &[ExactValue]) -> Option<Vec<Position>> {
    let mut found = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        check.at_index(index, |check| found.extend(position(check, item)));
    }
    if found.windows(2).any(|pair| (pair[0].0 - pair[1].0).abs() > 180.0) {
        check.warn("a segment spans more than 180 degrees of longitude; cut the line at the antimeridian");
    }
    (found.len() == items.len()).then_some(found)
}

fn line(check: &mut Check<'_>, tree: &ExactValue) {
    let Some(items) = tree.as_list() else {
        return check.error("an array of positions must stand here");
    };
    if items.len() < 2 {
        check.error(format!("a line needs two positions or more, this one has {}", items.len()));
    }
    positions(check, items);
}

fn polygon(check: &mut Check<'_>, tree: &ExactValue) {
    let Some(rings) = tree.as_list() else {
        return check.error("an array of rings must stand here, the outer one first");
    };
    for (index, item) in rings.iter().enumerate() {
        check.at_index(index, |check| ring(check, item, index == 0));
    }
}

fn ring(check: &mut Check<'_>, tree: &ExactValue, is_outer: bool) {
    let Some(items) = tree.as_list() else {
        return check.error("a ring must stand here: an array of positions");
    };
    let positions = positions(check, items);
    if items.len() < RING_POSITIONS_MIN {
        check.error(format!(
            "a ring needs {RING_POSITIONS_MIN} positions or more, this one has {}",
            items.len()
        ));
    }
    let Some(positions) = positions else { return };
    if !is_closed(items) {
        check.error("the ring is not closed; repeat its first position at its end");
    } else if items.len() >= RING_POSITIONS_MIN
        && turns_left(&positions).is_some_and(|turns_left| turns_left != is_outer)
    {
        check.warn(if is_outer {
            "the outer ring runs clockwise; by the right-hand rule it runs counterclockwise"
        } else {
            "the inner ring runs counterclockwise; by the right-hand rule it runs clockwise"
        });
    }
}

/// Whether the first and the last position are the same numbers, however they are written.
fn is_closed(items: &[ExactValue]) -> bool {
    let numbers = |item: Option<&ExactValue>| -> Vec<Option<f64>> {
        item.and_then(ExactValue::as_list).unwrap_or_default().iter().map(ExactValue::as_f64).collect()
    };
    numbers(items.first()) == numbers(items.last())
}

/// Whether a closed ring runs counterclockwise; `None` where it has no area there, or runs into itself.
///
/// Told at its lowest position by exact arithmetic: the sum of the ring's cross products, which is its area, loses all its
/// digits in a ring that is tiny beside its distance from the origin.
fn turns_left(positions: &[Position]) -> Option<bool> {
    let ring = &positions[..positions.len() - 1];
    let is_lower = |a: Position, b: Position| (a.1, a.0) < (b.1, b.0);
    let lowest = (1..ring.len()).fold(0, |low, at| if is_lower(ring[at], ring[low]) { at } else { low });
    let around = |step: usize| {
        let others = (1..ring.len()).map(|distance| ring[(lowest + distance * step) % ring.len()]);
        others.into_iter().find(|&other| other != ring[lowest])
    };
    let coordinate = |(x, y): Position| Coord { x, y };
    let (before, after) = (around(ring.len() - 1)?, around(1)?);
    let turn = orient2d(coordinate(before), coordinate(ring[lowest]), coordinate(after));
    (turn != 0.0).then_some(turn > 0.0)
}
