//! A list of records: printed as they come, so that a list of any length is never held.

use std::io::{self, Write};

use serde::Serialize;

use crate::args::Output;

/// Prints `{"<name>": [record, …], …}` or a record a line, as they come.
pub(crate) struct Records<W: Write> {
    out: W,
    output: Output,
    name: &'static str,
    count: u64,
}

impl<W: Write> Records<W> {
    /// For `Output::Json` and `Output::Ndjson`; a table needs all of its rows first.
    pub(crate) fn new(out: W, output: Output, name: &'static str) -> Self {
        Self { out, output, name, count: 0 }
    }

    /// Where to write what is no record.
    pub(crate) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Prints one record.
    pub(crate) fn push(&mut self, record: &impl Serialize) -> io::Result<()> {
        if self.output == Output::Json {
            let before =
                if self.count == 0 { format!("{{\"{}\": [\n  ", self.name) } else { ",\n  ".to_owned() };
            self.out.write_all(before.as_bytes())?;
        }
        self.count += 1;
        if self.output == Output::Json {
            return Ok(serde_json::to_writer(&mut self.out, record)?);
        }
        // A document that is printed as it was read may go over several lines, though none of its strings does.
        let line = serde_json::to_string(record)?.replace(['\n', '\r'], " ");
        writeln!(self.out, "{line}")
    }

    /// Ends the list; `rest` are the fields of an object that follow it. None may have the list's name: a parser would
    /// keep one of the two.
    pub(crate) fn finish(mut self, rest: &serde_json::Map<String, serde_json::Value>) -> io::Result<()> {
        debug_assert!(!rest.contains_key(self.name), "the list is named {:?} already", self.name);
        if self.output == Output::Json {
            if self.count == 0 {
                write!(self.out, "{{\"{}\": [", self.name)?;
            }
            self.out.write_all(if self.count == 0 { b"]" } else { b"\n]" })?;
            for (name, value) in rest {
                write!(self.out, ", {}: {value}", serde_json::Value::from(name.as_str()))?;
            }
            self.out.write_all(b"}\n")?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn printed(output: Output, records: &[Value]) -> String {
        let mut bytes = Vec::new();
        let mut list = Records::new(&mut bytes, output, "jobs");
        for record in records {
            list.push(record).unwrap();
        }
        list.finish(&Map::from_iter([("total".to_owned(), json!(records.len()))])).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_is_one_object_whatever_its_length() {
        for records in [vec![], vec![json!({"a": 1})], vec![json!(1), json!("two"), json!(null)]] {
            let parsed: Value = serde_json::from_str(&printed(Output::Json, &records)).unwrap();
            assert_eq!(parsed, json!({"jobs": records, "total": records.len()}));
        }
    }

    #[test]
    #[should_panic(expected = "the list is named \"jobs\" already")]
    fn no_field_has_the_name_of_the_list() {
        let list = Records::new(Vec::new(), Output::Json, "jobs");
        let _ = list.finish(&Map::from_iter([("jobs".to_owned(), json!(1))]));
    }

    #[test]
    fn ndjson_is_a_record_a_line() {
        assert_eq!(printed(Output::Ndjson, &[json!(1), json!({"a": 2})]), "1\n{\"a\":2}\n");
        let mut bytes = Vec::new();
        let mut list = Records::new(&mut bytes, Output::Ndjson, "results");
        list.push(&serde_json::value::RawValue::from_string("[1.10,\r\n2]".to_owned()).unwrap()).unwrap();
        list.finish(&Map::new()).unwrap();
        assert_eq!(bytes, b"[1.10,  2]\n", "also of one that was read from several");
    }
}
