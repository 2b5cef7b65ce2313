//! All that is wrong with an input.

use tokio::io::AsyncBufRead;

use super::cutter::Cutter;
use super::document::{DocumentCutter, Shape};
use super::error::SerialError;
use super::exact_value::{self, Duplicate, ExactValue};
use super::format::{Format, Syntax};
use super::geojson::{self, Check, Finding, Findings, Severity};
use super::input::Input;
use super::limits::Limits;
use super::load::{YAML_DOCUMENT, read_text};
use super::records::Records;
use super::sequence::SequenceCutter;
use super::text_position::TextPosition;
use super::yaml;

/// How an input is validated.
#[derive(Debug, Clone)]
pub struct ValidateOptions {
    /// Whether JSON, JSON Lines and YAML are held against RFC 7946 too. GeoJSON always is.
    pub as_geojson: bool,
    /// Whether to tell what is only advised against.
    pub warnings: bool,
    /// How many findings are listed.
    pub listed_max: usize,
    /// What is held in memory.
    pub limits: Limits,
}

impl Default for ValidateOptions {
    /// With warnings; a hundred findings.
    fn default() -> Self {
        Self { as_geojson: false, warnings: true, listed_max: 100, limits: Limits::default() }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// The syntax that was asked for, and the compression that was found.
    pub from: Format,
    /// Elements, features or lines, also those that can't be read; 1 for a document that has none.
    pub records: u64,
    /// Bytes read, as stored.
    pub bytes_in: u64,
    /// Errors, all of them.
    pub errors: u64,
    /// Warnings, all of them.
    pub warnings: u64,
    /// The first errors, then the first warnings, each in the order of the input.
    pub findings: Vec<Finding>,
}

impl Validation {
    /// Whether there was no error.
    pub fn is_valid(&self) -> bool {
        self.errors == 0
    }
}

/// Reads an input to its end, or to where it can't be read on: a fault of syntax ends a document, and of
/// a sequence one record. Errs only where reading fails, or a whole YAML document is too large.
pub async fn validate<R>(
    reader: R,
    from: Format,
    options: &ValidateOptions,
) -> Result<Validation, SerialError>
where
    R: AsyncBufRead + Send + Unpin,
{
    let mut judge = Judge {
        findings: Findings::up_to(options.listed_max),
        is_geo: options.as_geojson || from.syntax.is_geo(),
        warns: options.warnings,
        prefix: "",
    };
    let input = match Input::open(reader).await {
        Err(SerialError::Invalid(fault)) => {
            judge.findings.add_fault(*fault);
            return Ok(judge.validation(from, 0, 0));
        }
        input => input?,
    };
    let from = Format { syntax: from.syntax, compression: input.compression };
    let (records, bytes_in) = match from.syntax {
        Syntax::Yaml => judge.yaml(input, options).await?,
        _ => judge.records(input, from.syntax, options).await?,
    };
    Ok(judge.validation(from, records, bytes_in))
}

struct Judge {
    findings: Findings,
    is_geo: bool,
    warns: bool,
    /// The pointer of a document's records; of a sequence's none.
    prefix: &'static str,
}

impl Judge {
    fn validation(self, from: Format, records: u64, bytes_in: u64) -> Validation {
        let (errors, warnings) = (self.findings.errors, self.findings.warnings);
        Validation { from, records, bytes_in, errors, warnings, findings: self.findings.listed() }
    }

    async fn yaml<R>(
        &mut self,
        mut input: Input<R>,
        options: &ValidateOptions,
    ) -> Result<(u64, u64), SerialError>
    where
        R: AsyncBufRead + Send + Unpin,
    {
        let text = match read_text(&mut input, options.limits.whole_max_bytes, YAML_DOCUMENT).await {
            Err(SerialError::Invalid(fault)) => {
                self.findings.add_fault(*fault);
                return Ok((1, input.bytes_in()));
            }
            text => text?,
        };
        match yaml::read(&text, options.limits.whole_max_bytes) {
            Ok(tree) if self.is_geo => geojson::object(&mut self.check(None, None, String::new()), &tree),
            Ok(_) => {}
            Err(fault) => self.findings.add_fault(fault),
        }
        Ok((1, input.bytes_in()))
    }

    async fn records<R>(
        &mut self,
        input: Input<R>,
        syntax: Syntax,
        options: &ValidateOptions,
    ) -> Result<(u64, u64), SerialError>
    where
        R: AsyncBufRead + Send + Unpin,
    {
        let max_bytes = options.limits.record_max_bytes;
        let cutter = match syntax {
            Syntax::JsonLines | Syntax::GeoJsonSeq => {
                Cutter::Sequence(SequenceCutter::new(input.start, syntax == Syntax::GeoJsonSeq, max_bytes))
            }
            _ if self.is_geo => Cutter::Document(DocumentCutter::new(
                input.start,
                Shape::Features { or_array: false },
                max_bytes,
            )),
            _ => Cutter::Document(DocumentCutter::new(input.start, Shape::Items, max_bytes)),
        };
        let mut records = Records::new(input, cutter);
        loop {
            match records.next().await {
                Ok(true) => {
                    self.prefix = records.path();
                    let (record, place) = records.record();
                    self.record(record, records.count() - 1, place);
                }
                Ok(false) => break,
                Err(SerialError::Invalid(fault)) => {
                    self.findings.add_fault(*fault);
                    match records.resume().await {
                        Ok(true) => {}
                        Ok(false) => return Ok((records.count(), records.bytes_in())),
                        Err(SerialError::Invalid(_)) => return Ok((records.count(), records.bytes_in())),
                        Err(error) => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let counts = (records.count(), records.bytes_in());
        if self.is_geo
            && let Some(header) = records.into_header()
        {
            let json = header.to_json();
            match exact_value::parse(json.as_bytes(), TextPosition::START) {
                Ok((tree, duplicates)) => {
                    let mut check = self.check(None, None, String::new());
                    geojson::collection_header(&mut check, &tree);
                    for duplicate in duplicates {
                        self.duplicate(&duplicate, None, "", None);
                    }
                }
                Err(fault) => self.findings.add_fault(fault),
            }
        }
        Ok(counts)
    }

    fn record(&mut self, record: &[u8], index: u64, place: TextPosition) {
        let (tree, duplicates) = match exact_value::parse(record, place) {
            Ok(parsed) => parsed,
            Err(fault) => return self.findings.add_fault(fault.in_record(index)),
        };
        let pointer = if self.prefix.is_empty() {
            String::new()
        } else {
            format!("{}/{index}", self.prefix.trim_end_matches('/'))
        };
        for duplicate in &duplicates {
            self.duplicate(duplicate, Some(index), &pointer, Some(duplicate.place));
        }
        if self.is_geo {
            self.geojson(&tree, index, place, pointer);
        }
    }

    fn geojson(&mut self, tree: &ExactValue, index: u64, place: TextPosition, pointer: String) {
        let is_feature = !self.prefix.is_empty();
        let mut check = self.check(Some(index), Some(place), pointer);
        if is_feature { geojson::feature(&mut check, tree) } else { geojson::object(&mut check, tree) }
    }

    /// A key that stands twice is JSON, but each reader takes another of its values.
    fn duplicate(
        &mut self,
        duplicate: &Duplicate,
        record: Option<u64>,
        prefix: &str,
        place: Option<TextPosition>,
    ) {
        if !self.warns {
            return;
        }
        let severity = Severity::Warning;
        let pointer = format!("{prefix}{}", duplicate.pointer);
        self.findings.add(severity, || Finding {
            severity,
            record,
            place,
            pointer,
            message: duplicate.message(),
        });
    }

    fn check(&mut self, record: Option<u64>, place: Option<TextPosition>, pointer: String) -> Check<'_> {
        Check::new(&mut self.findings, record, place, pointer, self.warns)
    }
}
