//! The way from one of JSON's syntaxes to another.

use super::document::Shape;
use super::format::Syntax;

/// How one syntax becomes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Byte for byte, checked.
    Copy,
    /// Record by record, one a line.
    Lines,
    /// Record by record, as a GeoJSON text sequence.
    Sequence,
    /// As the elements of an array.
    Array,
    /// As the features of a collection.
    Collection,
}

/// Between JSON's syntaxes; `is_array` where the input is a document that begins with `[`.
pub(super) fn way(from: Syntax, to: Syntax, is_array: bool) -> Way {
    use Syntax::{GeoJson, GeoJsonSeq, Json, JsonLines, Yaml};
    match (from, to) {
        (Json, GeoJson) if is_array => Way::Collection,
        (Json | GeoJson | Yaml, Json | GeoJson | Yaml) => Way::Copy,
        (_, JsonLines) => Way::Lines,
        (_, GeoJsonSeq) => Way::Sequence,
        (JsonLines, Json | Yaml) => Way::Array,
        (JsonLines | GeoJsonSeq, _) => Way::Collection,
    }
}

/// How a document is cut for its way.
pub(super) fn shape(from: Syntax, to: Syntax, way: Way) -> Shape {
    match (from, to) {
        (Syntax::GeoJson, _) => Shape::Features { or_array: false },
        (_, Syntax::GeoJson) if way == Way::Copy => Shape::Features { or_array: false },
        (_, Syntax::GeoJsonSeq) => Shape::Features { or_array: true },
        _ if way == Way::Copy => Shape::Counted,
        _ => Shape::Items,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Syntax::{GeoJson, GeoJsonSeq, Json, JsonLines};

    #[test]
    fn each_pair_has_its_way() {
        let of = |from, to| way(from, to, false);
        for (from, ways) in [
            (Json, [Way::Copy, Way::Lines, Way::Copy, Way::Sequence]),
            (JsonLines, [Way::Array, Way::Lines, Way::Collection, Way::Sequence]),
            (GeoJson, [Way::Copy, Way::Lines, Way::Copy, Way::Sequence]),
            (GeoJsonSeq, [Way::Collection, Way::Lines, Way::Collection, Way::Sequence]),
        ] {
            assert_eq!([Json, JsonLines, GeoJson, GeoJsonSeq].map(|to| of(from, to)), ways, "{from:?}");
        }
        assert_eq!(way(Json, GeoJson, true), Way::Collection);
        assert_eq!(way(GeoJson, GeoJson, true), Way::Copy);
    }

    #[test]
    fn only_json_that_stays_json_is_not_cut() {
        assert_eq!(shape(Json, Json, Way::Copy), Shape::Counted);
        assert_eq!(shape(Json, JsonLines, Way::Lines), Shape::Items);
        assert_eq!(shape(Json, GeoJson, Way::Collection), Shape::Items);
        assert_eq!(shape(Json, GeoJson, Way::Copy), Shape::Features { or_array: false });
        assert_eq!(shape(Json, GeoJsonSeq, Way::Sequence), Shape::Features { or_array: true });
        assert_eq!(shape(GeoJson, Json, Way::Copy), Shape::Features { or_array: false });
    }
}
