//! Types and members.

use super::bbox::bbox;
use super::check::Check;
use super::geometry;
use crate::serial::exact_value::ExactValue;
use crate::serial::header::{COLLECTION, FEATURES, TYPES};

const FEATURE: &str = "Feature";

/// Members that no object of a type may have. RFC 7946, 7.1.
const FOREIGN_TO_COLLECTION: &[&str] = &["coordinates", "geometries", "geometry", "properties"];
const FOREIGN_TO_FEATURE: &[&str] = &["coordinates", "geometries", FEATURES];
const FOREIGN_TO_GEOMETRY: &[&str] = &["geometry", "properties", FEATURES];

/// Any GeoJSON object.
pub(in crate::serial) fn object(check: &mut Check<'_>, tree: &ExactValue) {
    match type_of(check, tree) {
        Some(FEATURE) => feature_members(check, tree),
        Some(COLLECTION) => {
            collection_header(check, tree);
            match tree.get(FEATURES).map(ExactValue::as_list) {
                Some(Some(features)) => check.at(FEATURES, |check| {
                    for (index, item) in features.iter().enumerate() {
                        check.at_index(index, |check| feature(check, item));
                    }
                }),
                Some(None) => check.at(FEATURES, |check| check.error("features must be an array")),
                None => check.error("a FeatureCollection must have an array \"features\""),
            }
        }
        Some(name) => geometry_members(check, name, tree, false),
        None => {}
    }
}

/// What must be a Feature.
pub(in crate::serial) fn feature(check: &mut Check<'_>, tree: &ExactValue) {
    match type_of(check, tree) {
        Some(FEATURE) => feature_members(check, tree),
        Some(name) => check.error(format!("a Feature must stand here, not a {name}; make a Feature of it")),
        None => {}
    }
}

/// A FeatureCollection's members beside its features.
pub(in crate::serial) fn collection_header(check: &mut Check<'_>, tree: &ExactValue) {
    common_members(check, tree);
    foreign(check, tree, COLLECTION, FOREIGN_TO_COLLECTION);
}

fn feature_members(check: &mut Check<'_>, tree: &ExactValue) {
    common_members(check, tree);
    foreign(check, tree, FEATURE, FOREIGN_TO_FEATURE);
    match tree.get("geometry") {
        None => check.error("a Feature must have a \"geometry\"; write null where it has no place"),
        Some(ExactValue::Null) => {}
        Some(tree) => check.at("geometry", |check| geometry(check, tree, false)),
    }
    match tree.get("properties") {
        None => check.error("a Feature must have \"properties\"; write null where it has none"),
        Some(ExactValue::Null | ExactValue::Object(_)) => {}
        Some(_) => check.at("properties", |check| check.error("properties must be an object or null")),
    }
    if let Some(id) = tree.get("id")
        && !matches!(id, ExactValue::Text(_) | ExactValue::Number(_))
    {
        check.at("id", |check| check.error("an id must be a text or a number"));
    }
}

/// What must be a geometry.
fn geometry(check: &mut Check<'_>, tree: &ExactValue, is_nested: bool) {
    match type_of(check, tree) {
        Some(name @ (FEATURE | COLLECTION)) => {
            check.error(format!("a geometry must stand here, not a {name}"));
        }
        Some(name) => geometry_members(check, name, tree, is_nested),
        None => {}
    }
}

fn geometry_members(check: &mut Check<'_>, name: &str, tree: &ExactValue, is_nested: bool) {
    common_members(check, tree);
    foreign(check, tree, name, FOREIGN_TO_GEOMETRY);
    if name != "GeometryCollection" {
        match tree.get("coordinates") {
            Some(coordinates) => {
                check.at("coordinates", |check| geometry::coordinates(check, name, coordinates));
            }
            None => check.error(format!("a {name} must have \"coordinates\"")),
        }
        return;
    }
    if is_nested {
        check.warn("a GeometryCollection stands inside another; RFC 7946 advises against it");
    }
    match tree.get("geometries").map(ExactValue::as_list) {
        Some(Some(geometries)) => check.at("geometries", |check| {
            for (index, item) in geometries.iter().enumerate() {
                check.at_index(index, |check| geometry(check, item, true));
            }
        }),
        Some(None) => check.at("geometries", |check| check.error("geometries must be an array")),
        None => check.error("a GeometryCollection must have an array \"geometries\""),
    }
}

fn common_members(check: &mut Check<'_>, tree: &ExactValue) {
    if let Some(tree) = tree.get("bbox") {
        check.at("bbox", |check| bbox(check, tree));
    }
    if tree.get("crs").is_some() {
        check.at("crs", |check| {
            check.warn(
                "\"crs\" is of the GeoJSON before RFC 7946, which knows WGS 84 alone; readers pass over it",
            );
        });
    }
}

fn foreign(check: &mut Check<'_>, tree: &ExactValue, name: &str, members: &[&str]) {
    for member in members.iter().filter(|member| tree.get(member).is_some()) {
        check.at(member, |check| {
            check.error(format!("a {name} must not have {member:?}: another type is told by it"));
        });
    }
}

fn type_of<'a>(check: &mut Check<'_>, tree: &'a ExactValue) -> Option<&'a str> {
    if !matches!(tree, ExactValue::Object(_)) {
        check.error("a GeoJSON object must stand here");
        return None;
    }
    let Some(value) = tree.get("type") else {
        check.error(format!("the object has no \"type\"; GeoJSON has {}", TYPES.join(", ")));
        return None;
    };
    match value.as_text() {
        Some(name) if TYPES.contains(&name) => Some(name),
        Some(name) => {
            let known = TYPES.iter().find(|known| known.eq_ignore_ascii_case(name));
            let remedy = known.map_or_else(
                || format!("GeoJSON has {}", TYPES.join(", ")),
                |known| format!("write {known:?}"),
            );
            check.at("type", |check| check.error(format!("{name:?} is no type of GeoJSON; {remedy}")));
            None
        }
        None => {
            check.at("type", |check| check.error("a type must be a text"));
            None
        }
    }
}
