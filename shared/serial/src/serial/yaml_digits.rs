//! The digits of YAML's numbers. Its reader and its writer know integers of 64 bits and doubles; the text has the rest.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

use super::exact_value::ExactValue;
use super::text_position::{Fault, TextPosition};

/// A scalar that begins as a number does, as it stands in a text.
struct Scalar<'t> {
    text: Cow<'t, str>,
    /// Neither quoted nor tagged.
    is_plain: bool,
    bytes: Range<usize>,
    line: usize,
}

/// The scalars of a document in the order of its tree, where what an alias repeats stands again.
struct Scalars<'t> {
    found: Vec<Scalar<'t>>,
    /// Where each is among `found`, as far as it begins as a number does.
    order: Vec<Option<u32>>,
}

impl<'t> Scalars<'t> {
    /// Of a document that was read, because only that is known to be within its budget.
    fn of(text: &'t str) -> Self {
        let (mut found, mut order): (Vec<Scalar<'t>>, Vec<Option<u32>>) = (Vec::new(), Vec::new());
        let mut anchors: HashMap<usize, Range<usize>> = HashMap::new();
        let mut open = Vec::new();
        for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
            let start = order.len();
            match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
                    let bytes = span.byte_range().filter(|_| is_number);
                    order.push(bytes.as_ref().and(u32::try_from(found.len()).ok()));
                    found.extend(bytes.map(|bytes| Scalar {
                        text,
                        is_plain: style == ScalarStyle::Plain && tag.is_none(),
                        bytes,
                        line: span.start.line(),
                    }));
                    anchors.insert(anchor, start..start + 1);
                }
                Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) => {
                    open.push((anchor, start));
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    anchors.extend(open.pop().map(|(anchor, begun)| (anchor, begun..start)));
                }
                Event::Alias(anchor) => {
                    order.extend_from_within(anchors.get(&anchor).cloned().unwrap_or_default());
                }
                _ => {}
            }
        }
        Self { found, order }
    }

    fn in_order(&self) -> impl Iterator<Item = Option<&Scalar<'t>>> {
        self.order.iter().map(|index| self.found.get(index.map_or(usize::MAX, |index| index as usize)))
    }
}

/// Gives the numbers of a tree that was read as doubles the digits that they have in the text. Errs where a number is a
/// text in the tree, because it has more than 64 bits.
pub(super) fn restore(tree: &mut ExactValue, text: &str) -> Result<(), Fault> {
    let mut is_needed = false;
    tree.each_scalar(&mut |scalar| is_needed |= scalar.is_some_and(|it| is_double(it) || is_radix_text(it)));
    if !is_needed {
        return Ok(());
    }
    let scalars = Scalars::of(text);
    let mut found = scalars.in_order();
    let mut fault = None;
    tree.each_scalar(&mut |value| {
        let (Some(value), Some(scalar)) = (value, found.next().flatten()) else { return };
        if is_radix_text(value) && scalar.is_plain {
            fault.get_or_insert_with(|| too_many_bits(text, scalar));
        } else if is_double(value)
            && let ExactValue::Number(digits) = value
            && let Some(exact) = as_json(&scalar.text).filter(|exact| is_same_double(exact, digits))
        {
            *digits = exact.into();
        }
    });
    fault.map_or(Ok(()), Err)
}

/// Gives the numbers of a document that was written of a tree the digits that they have in the tree.
pub(super) fn spell_out(yaml: String, tree: &mut ExactValue) -> String {
    let mut is_needed = false;
    tree.each_scalar(&mut |value| {
        is_needed |= matches!(value, Some(ExactValue::Number(digits)) if digits.parse::<u64>().is_err());
    });
    if !is_needed {
        return yaml;
    }
    let scalars = Scalars::of(&yaml);
    let mut found = scalars.in_order();
    let (mut exact, mut copied) = (String::with_capacity(yaml.len()), 0);
    tree.each_scalar(&mut |value| {
        let scalar = found.next().flatten();
        if let (Some(ExactValue::Number(digits)), Some(scalar)) = (value, scalar)
            && is_same_double(&scalar.text, digits)
        {
            exact.push_str(&yaml[copied..scalar.bytes.start]);
            exact.push_str(&as_yaml(digits));
            copied = scalar.bytes.end;
        }
    });
    exact.push_str(&yaml[copied..]);
    exact
}

fn is_double(value: &ExactValue) -> bool {
    matches!(value, ExactValue::Number(digits) if digits.contains(['.', 'e', 'E']))
}

/// Whether a text is what YAML 1.2 has for a number of another base. 10.3.2 of its specification.
fn is_radix_text(value: &ExactValue) -> bool {
    let ExactValue::Text(text) = value else { return false };
    let digits = |prefix, base| {
        text.strip_prefix(prefix)
            .is_some_and(|rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_digit(base)))
    };
    digits("0x", 16) || digits("0o", 8)
}

fn too_many_bits(text: &str, scalar: &Scalar<'_>) -> Fault {
    let start = text[..scalar.bytes.start].rfind('\n').map_or(0, |at| at + 1);
    let place = TextPosition {
        offset: scalar.bytes.start as u64,
        line: scalar.line as u64,
        column: (scalar.bytes.start - start) as u64 + 1,
    };
    let message = format!(
        "the number {} has more than 64 bits; write it in decimal digits, or in quotes where it is a text",
        scalar.text
    );
    Fault::at(place, message)
}

fn is_same_double(a: &str, b: &str) -> bool {
    matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

/// A decimal number of YAML as JSON has it: without `+`, with digits on both sides of the point.
fn as_json(text: &str) -> Option<String> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = exponent.get(1..).is_none_or(|it| is_digits(it.trim_start_matches(['+', '-'])));
    if !is_digits(whole) || !is_digits(fraction) || !is_exponent {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    Some(match mantissa.contains('.') {
        true => format!("{sign}{whole}.{fraction}{exponent}"),
        false => format!("{sign}{whole}{exponent}"),
    })
}

/// A number of JSON as readers of YAML 1.1 take it for one, too: before an exponent they want a point, and in it a sign.
/// <https://yaml.org/type/float.html>
fn as_yaml(digits: &str) -> Cow<'_, str> {
    let Some(at) = digits.find(['e', 'E']) else {
        // As a whole number it would lose its sign.
        return if digits == "-0" { Cow::Borrowed("-0.0") } else { Cow::Borrowed(digits) };
    };
    let (mantissa, exponent) = (&digits[..at], &digits[at + 1..]);
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    Cow::Owned(format!("{mantissa}{point}e{sign}{exponent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_yaml_is_spelled_as_json_has_it() {
        for (yaml, json) in [
            ("1.50", "1.50"),
            ("+1.5", "1.5"),
            ("-.5", "-0.5"),
            ("1.", "1.0"),
            ("1.e3", "1.0e3"),
            ("1e-400", "1e-400"),
            ("00012", "12"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(as_json(yaml).as_deref(), Some(json), "{yaml}");
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(json).is_ok(), "{json}");
        }
        for no_number in ["1_000", "0x1F", "1:30", "1.2.3", "1e3e3", "-x"] {
            assert_eq!(as_json(no_number), None, "{no_number}");
        }
    }

    #[test]
    fn a_number_of_json_is_one_to_readers_of_yaml_1_1_too() {
        for (json, yaml) in [
            ("1.50", "1.50"),
            ("1e3", "1.0e+3"),
            ("1.5E-7", "1.5e-7"),
            ("1E+400", "1.0e+400"),
            ("-0", "-0.0"),
            ("18446744073709551616", "18446744073709551616"),
        ] {
            assert_eq!(as_yaml(json), yaml);
        }
    }
}
