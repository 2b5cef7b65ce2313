//! RFC 7946's rules, and its own examples.

use super::{Check, Findings, Severity, object};
use crate::serial::exact_value;
use crate::serial::text_position::TextPosition;

/// Severity, pointer and the beginning of the message of all that is found.
fn found(json: &str) -> Vec<(Severity, String, String)> {
    let (tree, _) = exact_value::parse(json.as_bytes(), TextPosition::START).unwrap();
    let mut findings = Findings::up_to(100);
    object(&mut Check::new(&mut findings, None, None, String::new(), true), &tree);
    findings
        .listed()
        .into_iter()
        .map(|finding| (finding.severity, finding.pointer, finding.message))
        .collect()
}

fn assert_found(json: &str, severity: Severity, pointer: &str, message: &str) {
    let found = found(json);
    let [(has_severity, has_pointer, has_message)] = found.as_slice() else { panic!("{json}: {found:?}") };
    assert_eq!((*has_severity, has_pointer.as_str()), (severity, pointer), "{json}");
    assert!(has_message.contains(message), "{json}: {has_message}");
}

/// The examples of RFC 7946, sections 1.5, 5, 5.3 and Appendix A.
const EXAMPLES: &[&str] = &[
    r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[102.0,0.5]},"properties":{"prop0":"value0"}},{"type":"Feature","geometry":{"type":"LineString","coordinates":[[102.0,0.0],[103.0,1.0],[104.0,0.0],[105.0,1.0]]},"properties":{"prop0":"value0","prop1":0.0}},{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[100.0,0.0],[101.0,0.0],[101.0,1.0],[100.0,1.0],[100.0,0.0]]]},"properties":{"prop0":"value0","prop1":{"this":"that"}}}]}"#,
    r#"{"type":"Feature","bbox":[-10.0,-10.0,10.0,10.0],"geometry":{"type":"Polygon","coordinates":[[[-10.0,-10.0],[10.0,-10.0],[10.0,10.0],[-10.0,-10.0]]]},"properties":null}"#,
    r#"{"type":"FeatureCollection","bbox":[100.0,0.0,-100.0,105.0,1.0,0.0],"features":[]}"#,
    r#"{"type":"FeatureCollection","bbox":[177.0,-20.0,-178.0,-16.0],"features":[]}"#,
    r#"{"type":"Point","coordinates":[100.0,0.0]}"#,
    r#"{"type":"LineString","coordinates":[[100.0,0.0],[101.0,1.0]]}"#,
    r#"{"type":"Polygon","coordinates":[[[100.0,0.0],[101.0,0.0],[101.0,1.0],[100.0,1.0],[100.0,0.0]],[[100.8,0.8],[100.8,0.2],[100.2,0.2],[100.2,0.8],[100.8,0.8]]]}"#,
    r#"{"type":"MultiPoint","coordinates":[[100.0,0.0],[101.0,1.0]]}"#,
    r#"{"type":"MultiLineString","coordinates":[[[100.0,0.0],[101.0,1.0]],[[102.0,2.0],[103.0,3.0]]]}"#,
    r#"{"type":"MultiPolygon","coordinates":[[[[102.0,2.0],[103.0,2.0],[103.0,3.0],[102.0,3.0],[102.0,2.0]]],[[[100.0,0.0],[101.0,0.0],[101.0,1.0],[100.0,1.0],[100.0,0.0]],[[100.2,0.2],[100.2,0.8],[100.8,0.8],[100.8,0.2],[100.2,0.2]]]]}"#,
    r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[100.0,0.0]},{"type":"LineString","coordinates":[[101.0,0.0],[102.0,1.0]]}]}"#,
    r#"{"type":"MultiLineString","coordinates":[[[170.0,45.0],[180.0,45.0]],[[-180.0,45.0],[-170.0,45.0]]]}"#,
];

#[test]
fn the_rfcs_own_examples_break_no_rule() {
    for example in EXAMPLES {
        assert_eq!(found(example), [], "{example}");
    }
}

#[test]
fn a_broken_rule_is_told_with_its_pointer() {
    let feature =
        |geometry: &str| format!("{{\"type\":\"Feature\",\"geometry\":{geometry},\"properties\":{{}}}}");
    let polygon = |rings: &str| format!("{{\"type\":\"Polygon\",\"coordinates\":{rings}}}");
    for (json, pointer, message) in [
        ("[]".to_owned(), "", "a GeoJSON object must stand here"),
        ("{}".to_owned(), "", "the object has no \"type\""),
        (r#"{"type":1}"#.to_owned(), "/type", "a type must be a text"),
        (r#"{"type":"POINT"}"#.to_owned(), "/type", "write \"Point\""),
        (r#"{"type":"Circle"}"#.to_owned(), "/type", "GeoJSON has Feature,"),
        (r#"{"type":"Point"}"#.to_owned(), "", "a Point must have \"coordinates\""),
        (r#"{"type":"Point","coordinates":1}"#.to_owned(), "/coordinates", "a position must stand here"),
        (
            r#"{"type":"Point","coordinates":[1]}"#.to_owned(),
            "/coordinates",
            "two numbers or more, this one has 1",
        ),
        (r#"{"type":"Point","coordinates":[1,null]}"#.to_owned(), "/coordinates/1", "numbers alone"),
        (r#"{"type":"Point","coordinates":[[1,2]]}"#.to_owned(), "/coordinates/0", "numbers alone"),
        (
            r#"{"type":"MultiPoint","coordinates":[[1,2],3]}"#.to_owned(),
            "/coordinates/1",
            "a position must stand here",
        ),
        (
            r#"{"type":"LineString","coordinates":[[1,2]]}"#.to_owned(),
            "/coordinates",
            "two positions or more, this one has 1",
        ),
        (
            r#"{"type":"LineString","coordinates":[[1,2],[[3,4]]]}"#.to_owned(),
            "/coordinates/1/0",
            "numbers alone",
        ),
        (
            r#"{"type":"MultiLineString","coordinates":[[[1,2],[3,4]],7]}"#.to_owned(),
            "/coordinates/1",
            "an array of positions",
        ),
        (
            r#"{"type":"MultiPolygon","coordinates":{}}"#.to_owned(),
            "/coordinates",
            "each element a Polygon's coordinates",
        ),
        (r#"{"type":"MultiPolygon","coordinates":[7]}"#.to_owned(), "/coordinates/0", "an array of rings"),
        (polygon("[7]"), "/coordinates/0", "a ring must stand here"),
        (polygon("[[[0,0],[1,0],[0,0]]]"), "/coordinates/0", "4 positions or more, this one has 3"),
        (polygon("[[[0,0],[1,0],[1,1],[0,1]]]"), "/coordinates/0", "the ring is not closed"),
        (polygon("[[[0,0],[1,0],[1,1],[0,0,5]]]"), "/coordinates/0", "the ring is not closed"),
        (r#"{"type":"GeometryCollection"}"#.to_owned(), "", "must have an array \"geometries\""),
        (
            r#"{"type":"GeometryCollection","geometries":{}}"#.to_owned(),
            "/geometries",
            "geometries must be an array",
        ),
        (
            r#"{"type":"GeometryCollection","geometries":[null]}"#.to_owned(),
            "/geometries/0",
            "a GeoJSON object must stand here",
        ),
        (feature(r#"{"type":"Feature"}"#), "/geometry", "a geometry must stand here, not a Feature"),
        (feature("[]"), "/geometry", "a GeoJSON object must stand here"),
        (r#"{"type":"Feature","properties":null}"#.to_owned(), "", "a Feature must have a \"geometry\""),
        (r#"{"type":"Feature","geometry":null}"#.to_owned(), "", "a Feature must have \"properties\""),
        (
            r#"{"type":"Feature","geometry":null,"properties":1}"#.to_owned(),
            "/properties",
            "an object or null",
        ),
        (
            r#"{"type":"Feature","geometry":null,"properties":null,"id":null}"#.to_owned(),
            "/id",
            "a text or a number",
        ),
        (
            r#"{"type":"Feature","geometry":null,"properties":null,"coordinates":[]}"#.to_owned(),
            "/coordinates",
            "must not have \"coordinates\"",
        ),
        (
            r#"{"type":"Point","coordinates":[1,2],"properties":null}"#.to_owned(),
            "/properties",
            "a Point must not have",
        ),
        (r#"{"type":"FeatureCollection"}"#.to_owned(), "", "must have an array \"features\""),
        (
            r#"{"type":"FeatureCollection","features":{}}"#.to_owned(),
            "/features",
            "features must be an array",
        ),
        (
            r#"{"type":"FeatureCollection","features":[{"type":"Point"}]}"#.to_owned(),
            "/features/0",
            "a Feature must stand here",
        ),
        (r#"{"type":"Point","coordinates":[1,2],"bbox":1}"#.to_owned(), "/bbox", "an array of numbers"),
        (r#"{"type":"Point","coordinates":[1,2],"bbox":[1,2,3,4,5]}"#.to_owned(), "/bbox", "this one has 5"),
        (r#"{"type":"Point","coordinates":[1,2],"bbox":[0,5,0,4]}"#.to_owned(), "/bbox", "south lies north"),
        (
            r#"{"type":"Point","coordinates":[1,2],"bbox":[0,5,9,0,6,8]}"#.to_owned(),
            "/bbox",
            "lowest height lies above",
        ),
    ] {
        assert_found(&json, Severity::Error, pointer, message);
    }
}

#[test]
fn what_is_advised_against_is_a_warning() {
    for (json, pointer, message) in [
        (r#"{"type":"Point","coordinates":[]}"#, "/coordinates", "the coordinates are empty"),
        (r#"{"type":"Point","coordinates":[1,2,3,4]}"#, "/coordinates", "more than three numbers"),
        (r#"{"type":"Point","coordinates":[52,200]}"#, "/coordinates", "beyond ±180"),
        (
            r#"{"type":"LineString","coordinates":[[170,0],[-170,0]]}"#,
            "/coordinates",
            "cut the line at the antimeridian",
        ),
        (
            r#"{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,0]]]}"#,
            "/coordinates/0",
            "the outer ring runs clockwise",
        ),
        (
            r#"{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,0]],[[1,1],[2,1],[2,2],[1.0,1e0]]]}"#,
            "/coordinates/1",
            "the inner ring runs counterclockwise",
        ),
        (r#"{"type":"Point","coordinates":[1,2],"crs":{}}"#, "/crs", "RFC 7946"),
        (
            r#"{"type":"GeometryCollection","geometries":[{"type":"GeometryCollection","geometries":[]}]}"#,
            "/geometries/0",
            "inside another",
        ),
    ] {
        assert_found(json, Severity::Warning, pointer, message);
    }
}

/// Some nanometres wide and far from the origin: the digits of a double do not hold their area.
#[test]
fn the_orientation_of_a_tiny_ring_is_told_exactly() {
    let (x, y) = (170.123_456_789, 80.987_654_321);
    let step = |value: f64, ulps: u64| f64::from_bits(value.to_bits() + ulps);
    for ulps in 1..40 {
        let left = [(x, y), (step(x, ulps), y), (step(x, ulps), step(y, ulps)), (x, step(y, ulps)), (x, y)];
        let mut right = left;
        right.reverse();
        for (ring, is_warned) in [(left, false), (right, true)] {
            let positions: Vec<String> = ring.iter().map(|(x, y)| format!("[{x:?},{y:?}]")).collect();
            let json = format!(r#"{{"type":"Polygon","coordinates":[[{}]]}}"#, positions.join(","));
            assert_eq!(!found(&json).is_empty(), is_warned, "{json}");
        }
    }
    // Without an area there is nothing to tell.
    for flat in ["[0,0],[1,1],[2,2],[0,0]", "[1,1],[1,1],[1,1],[1,1]"] {
        assert_eq!(found(&format!(r#"{{"type":"Polygon","coordinates":[[{flat}]]}}"#)), [], "{flat}");
    }
}
