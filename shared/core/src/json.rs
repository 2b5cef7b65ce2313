//! Values as JSON, where what JSON can't hold is refused.

use serde::Serialize;
use serde::ser::{self, Serializer};

/// A value as JSON on one line.
///
/// Errs where the value can't be JSON (a map whose keys are no text), and where it holds a NaN or an infinity, with the
/// place. `serde_json` writes these as `null`, and whoever reads them gets another value or an error.
///
/// ```
/// # use batchwright_core::json;
/// let error = json::to_string(&[1.0, f64::NAN]).unwrap_err().to_string();
/// assert!(error.starts_with("[1]: NaN is no JSON"), "{error}");
/// ```
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    let text = serde_json::to_string(value)?;
    // A number that is not finite has become a null, so that most values are not looked at again.
    if text.contains("null") {
        value.serialize(&mut Finite::default())?;
    }
    Ok(text)
}

/// Looks at every number of a value, and remembers the way to it.
#[derive(Default)]
struct Finite {
    way: String,
}

impl Finite {
    fn number(&self, number: f64) -> serde_json::Result<()> {
        if number.is_finite() {
            return Ok(());
        }
        let place = if self.way.is_empty() { "the value" } else { self.way.trim_start_matches('.') };
        Err(ser::Error::custom(format_args!(
            "{place}: {number} is no JSON; make it an Option that is None there, or a text"
        )))
    }

    fn within<T: Serialize + ?Sized>(&mut self, step: &str, value: &T) -> serde_json::Result<()> {
        let here = self.way.len();
        self.way.push_str(step);
        value.serialize(&mut *self)?;
        self.way.truncate(here);
        Ok(())
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts { finite: self, next: 0, key: String::new(), back: None }
    }

    /// The parts of a variant, which leave the way as it was before it.
    fn parts_of(&mut self, variant: &str) -> Parts<'_> {
        let back = self.way.len();
        self.way.push_str(&format!(".{variant}"));
        Parts { back: Some(back), ..self.parts() }
    }
}

/// Members of an array or an object.
struct Parts<'a> {
    finite: &'a mut Finite,
    next: usize,
    key: String,
    back: Option<usize>,
}

impl Parts<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        let step = format!("[{}]", self.next);
        self.next += 1;
        self.finite.within(&step, value)
    }

    fn member<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> serde_json::Result<()> {
        self.finite.within(&format!(".{key}"), value)
    }

    fn done(self) {
        if let Some(back) = self.back {
            self.finite.way.truncate(back);
        }
    }
}

macro_rules! finite_by_nature {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, _: $type) -> serde_json::Result<()> {
            Ok(())
        })*
    };
}

impl<'a> Serializer for &'a mut Finite {
    type Ok = ();
    type Error = serde_json::Error;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    finite_by_nature! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_char: char,
        serialize_str: &str,
        serialize_bytes: &[u8],
        serialize_unit_struct: &'static str,
    }

    fn serialize_f32(self, number: f32) -> serde_json::Result<()> {
        self.number(number.into())
    }

    fn serialize_f64(self, number: f64) -> serde_json::Result<()> {
        self.number(number)
    }

    fn serialize_none(self) -> serde_json::Result<()> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> serde_json::Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> serde_json::Result<()> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> serde_json::Result<()> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> serde_json::Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> serde_json::Result<()> {
        self.within(&format!(".{variant}"), value)
    }

    fn serialize_seq(self, _: Option<usize>) -> serde_json::Result<Parts<'a>> {
        Ok(self.parts())
    }

    fn serialize_tuple(self, _: usize) -> serde_json::Result<Parts<'a>> {
        Ok(self.parts())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> serde_json::Result<Parts<'a>> {
        Ok(self.parts())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> serde_json::Result<Parts<'a>> {
        Ok(self.parts_of(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> serde_json::Result<Parts<'a>> {
        Ok(self.parts())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> serde_json::Result<Parts<'a>> {
        Ok(self.parts())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> serde_json::Result<Parts<'a>> {
        Ok(self.parts_of(variant))
    }
}

macro_rules! parts_in_order {
    ($($kind:ident: $method:ident),* $(,)?) => {
        $(impl ser::$kind for Parts<'_> {
            type Ok = ();
            type Error = serde_json::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
                self.element(value)
            }

            fn end(self) -> serde_json::Result<()> {
                self.done();
                Ok(())
            }
        })*
    };
}

parts_in_order! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! parts_by_name {
    ($($kind:ident),* $(,)?) => {
        $(impl ser::$kind for Parts<'_> {
            type Ok = ();
            type Error = serde_json::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> serde_json::Result<()> {
                self.member(key, value)
            }

            fn end(self) -> serde_json::Result<()> {
                self.done();
                Ok(())
            }
        })*
    };
}

parts_by_name! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> serde_json::Result<()> {
        // A key is a text, a number or a truth value: it was written as JSON before.
        serde_json::to_string(key)?.trim_matches('"').clone_into(&mut self.key);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        let key = std::mem::take(&mut self.key);
        self.member(&key, value)
    }

    fn end(self) -> serde_json::Result<()> {
        self.done();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::value::RawValue;

    use super::*;

    #[derive(Serialize)]
    struct Peak<'a> {
        name: &'a str,
        metres: Option<f32>,
        shape: Shape,
    }

    #[derive(Serialize)]
    enum Shape {
        Unknown,
        Point(f64),
        Line(f64, f64),
        Circle { radius: f64 },
    }

    const NAN: f64 = f64::NAN;

    fn refused(value: &impl Serialize) -> String {
        to_string(value).unwrap_err().to_string()
    }

    #[test]
    fn a_number_that_is_not_finite_is_refused_with_its_place() {
        let peak = |metres, shape| Peak { name: "null", metres, shape };
        for (error, place) in [
            (refused(&NAN), "the value: NaN is no JSON"),
            (refused(&[1.0, f64::INFINITY]), "[1]: inf is no JSON"),
            (refused(&(1, 2, Some(f32::NEG_INFINITY))), "[2]: -inf is no JSON"),
            (refused(&vec![vec![1.0], vec![0.0, NAN]]), "[1][1]: NaN"),
            (refused(&BTreeMap::from([("a", vec![1.0]), ("b", vec![NAN])])), "b[0]: NaN"),
            (refused(&BTreeMap::from([(7, BTreeMap::from([(true, NAN)]))])), "7.true: NaN"),
            (refused(&[peak(Some(f32::NAN), Shape::Unknown)]), "[0].metres: NaN"),
            (refused(&peak(None, Shape::Point(NAN))), "shape.Point: NaN"),
            (refused(&peak(None, Shape::Line(0.0, NAN))), "shape.Line[1]: NaN"),
            (refused(&peak(None, Shape::Circle { radius: NAN })), "shape.Circle.radius: NaN"),
            // What came before it does not lengthen the way.
            (refused(&(Shape::Line(0.0, 1.0), [None, Some(1.0)], NAN)), "[2]: NaN"),
        ] {
            assert!(error.starts_with(place), "{error}");
            assert!(error.contains("make it an Option that is None there, or a text"), "{error}");
        }
    }

    #[test]
    fn all_else_is_written_as_it_is() {
        let raw = RawValue::from_string("[1.50, null]".to_owned()).unwrap();
        let peak = Peak { name: "NaN", metres: None, shape: Shape::Circle { radius: -0.5 } };
        assert_eq!(
            to_string(&(raw, peak, (), Shape::Unknown, i128::MIN, 'x', f64::MAX)).unwrap(),
            concat!(
                r#"[[1.50, null],{"name":"NaN","metres":null,"shape":{"Circle":{"radius":-0.5}}},null,"Unknown","#,
                r#"-170141183460469231731687303715884105728,"x",1.7976931348623157e+308]"#
            )
        );
        let keys = BTreeMap::from([([1], 1)]);
        assert!(to_string(&keys).is_err(), "a key that is no text");
    }
}
