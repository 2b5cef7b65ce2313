//! From one format to another.

use tokio::io::AsyncBufRead;

use super::cutter::{Cut, Cutter};
use super::document::{DocumentCutter, FEATURES_PATH};
use super::error::SerialError;
use super::format::{Format, Syntax};
use super::header::Header;
use super::input::Input;
use super::layout::Layout;
use super::limits::Limits;
use super::load::{YAML_DOCUMENT, read_text};
use super::output::{Output, Written};
use super::records::Records;
use super::sequence::SequenceCutter;
use super::sink::Memory;
use super::text_position::{Fault, TextPosition};
use super::wanted::Wanted;
use super::way::{Way, shape, way};
use super::{exact_value, yaml};
use crate::ports::ObjectWriter;

/// How a conversion is done.
#[derive(Debug, Clone, Default)]
pub struct ConvertOptions {
    /// The members of the FeatureCollection that is made of records; a bare one where it is not given. Refused where
    /// none is made: in a sequence, and of a document, which keeps its own members.
    pub header: Option<Header>,
    /// Whether a GeoJSON text sequence is written as RFC 8142 has it, with a record separator before each
    /// record, instead of one record a line and nothing more.
    pub record_separators: bool,
    /// How hard gzip or zstd tries: 0 to 9, 1 to 22. By default 7 and 3.
    pub compression_level: Option<i32>,
    /// What is held in memory.
    pub limits: Limits,
}

impl ConvertOptions {
    /// Errs where what is asked for does not go with the format that is written, and would do nothing.
    pub fn check(&self, to: Format) -> Result<(), String> {
        if let Some(level) = self.compression_level {
            to.compression.check_level(level)?;
        }
        match self.record_separators && to.syntax != Syntax::GeoJsonSeq {
            true => Err(format!(
                "record separators go with GeoJSON text sequences (geojsonl), and not with {to}; leave them out"
            )),
            false => Ok(()),
        }
    }

    /// `Content-Type` of what is written. RFC 8142's only where records are separated as it says.
    pub fn content_type(&self, to: Format) -> &'static str {
        match to.syntax {
            Syntax::GeoJsonSeq if !self.record_separators => Syntax::JsonLines.content_type(),
            syntax => syntax.content_type(),
        }
    }
}

/// What a conversion has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The syntax that was asked for, and the compression that was found.
    pub from: Format,
    /// What was written.
    pub to: Format,
    /// Elements, features or lines; 1 for a document that has none.
    pub records: u64,
    /// Bytes read, as stored.
    pub bytes_in: u64,
    /// Bytes written, as stored.
    pub bytes_out: u64,
    /// SHA-256 of the bytes written, in lower-case hexadecimal.
    pub sha256: String,
    /// The members beside the features, where a FeatureCollection was read as one.
    pub header: Option<Header>,
}

/// Converts an input. The sink is left to be finished by the caller, and to be dropped where this errs.
///
/// Of `from` the syntax counts: the compression is told by the bytes. Errs with [`SerialError::Invalid`]
/// where the input is not what `from` says or can't be expressed in `to`.
pub async fn convert<R, W>(
    reader: R,
    from: Format,
    sink: &mut W,
    to: Format,
    options: &ConvertOptions,
) -> Result<Report, SerialError>
where
    R: AsyncBufRead + Send + Unpin,
    W: ObjectWriter,
{
    if let Some(level) = options.compression_level {
        to.compression.check_level(level).map_err(Fault::of_input)?;
    }
    let mut input = Input::open(reader).await?;
    let from = Format { syntax: from.syntax, compression: input.compression };
    let (passed, bytes_in) = match (from.syntax, to.syntax) {
        (Syntax::Yaml, _) => {
            let text = read_text(&mut input, options.limits.whole_max_bytes, YAML_DOCUMENT).await?;
            let tree = yaml::read(&text, options.limits.whole_max_bytes)?;
            let passed = if to.syntax == Syntax::Yaml {
                refuse_header(options)?;
                copy_text(&text, sink, to, options).await?
            } else {
                let mut json = String::new();
                tree.write_json(&mut json);
                json.push('\n');
                let input = Input::open(json.as_bytes()).await?;
                pass(input, Syntax::Json, sink, to, options).await?.0
            };
            (passed, input.bytes_in())
        }
        (_, Syntax::Yaml) => {
            let mut memory = Memory::up_to(options.limits.whole_max_bytes);
            let json = Format::plain(Syntax::Json);
            let (passed, bytes_in) = match pass(input, from.syntax, &mut memory, json, options).await {
                Err(_) if memory.is_full => {
                    let max_bytes = options.limits.whole_max_bytes;
                    let remedy = "YAML is held as a whole: raise the bound (--max-yaml-bytes), or write JSON";
                    return Err(SerialError::TooLarge { what: "what becomes YAML", max_bytes, remedy });
                }
                passed => passed?,
            };
            let mut tree = exact_value::parse_unique(&memory.bytes, TextPosition::START)?;
            let text = yaml::write(&mut tree)?;
            let written = copy_text(&text, sink, to, options).await?.written;
            (Passed { written, ..passed }, bytes_in)
        }
        _ => pass(input, from.syntax, sink, to, options).await?,
    };
    let Passed { records, header, written: Written { bytes, sha256 } } = passed;
    Ok(Report { from, to, records, bytes_in, bytes_out: bytes, sha256, header })
}

/// Writes JSON text: a document, or for a sequence and a FeatureCollection the array of its records.
/// As [`convert`] from JSON.
pub async fn dump<W: ObjectWriter>(
    json: &str,
    sink: &mut W,
    to: Format,
    options: &ConvertOptions,
) -> Result<Report, SerialError> {
    convert(json.as_bytes(), Format::plain(Syntax::Json), sink, to, options).await
}

fn refuse_header(options: &ConvertOptions) -> Result<(), Fault> {
    match options.header {
        None => Ok(()),
        Some(_) => Err(Fault::of_input(
            "a header is for a FeatureCollection that is made of records, and none is made here: a sequence has no place for it, and a document keeps its own members; leave the header out",
        )),
    }
}

/// What has passed through.
pub(super) struct Passed {
    pub(super) records: u64,
    pub(super) header: Option<Header>,
    pub(super) written: Written,
}

/// Passes an input through, JSON to JSON. Also the bytes read.
pub(super) async fn pass<R, W>(
    mut input: Input<R>,
    from: Syntax,
    sink: &mut W,
    to: Format,
    options: &ConvertOptions,
) -> Result<(Passed, u64), SerialError>
where
    R: AsyncBufRead + Send + Unpin,
    W: ObjectWriter,
{
    let decides = (from, to.syntax) == (Syntax::Json, Syntax::GeoJson);
    let is_array = decides && input.skip_space().await? == Some(b'[');
    let way = way(from, to.syntax, is_array);
    if way != Way::Collection {
        refuse_header(options)?;
    }
    let max_bytes = options.limits.record_max_bytes;
    let cutter = match from {
        Syntax::JsonLines | Syntax::GeoJsonSeq => {
            Cutter::Sequence(SequenceCutter::new(input.start, from == Syntax::GeoJsonSeq, max_bytes))
        }
        _ => Cutter::Document(DocumentCutter::new(input.start, shape(from, to.syntax, way), max_bytes)),
    };
    let mut records = Records::new(input, cutter);
    let output = Output::new(sink, to.compression, options.compression_level);
    let header = || Box::new(options.header.clone().unwrap_or_default());
    let layout = match way {
        Way::Copy => {
            let written = copy(&mut records, output).await?;
            return Ok(passed(records, written));
        }
        Way::Lines => Layout::Lines,
        Way::Sequence if options.record_separators => Layout::Separated,
        Way::Sequence => Layout::Lines,
        Way::Array => Layout::Array,
        Way::Collection => Layout::Collection(header()),
    };
    let wanted = match way {
        Way::Collection => Some(Wanted::Feature),
        Way::Sequence => Some(Wanted::GeoJson),
        Way::Lines if from.is_geo() => Some(Wanted::GeoJson),
        _ => None,
    };
    let written = lay_out(&mut records, output, &layout, wanted).await?;
    Ok(passed(records, written))
}

fn passed<R: AsyncBufRead + Send + Unpin>(records: Records<R>, written: Written) -> (Passed, u64) {
    let bytes_in = records.bytes_in();
    (Passed { records: records.count(), header: records.into_header(), written }, bytes_in)
}

/// Copies all bytes while they are cut.
async fn copy<R, W>(records: &mut Records<R>, mut output: Output<'_, W>) -> Result<Written, SerialError>
where
    R: AsyncBufRead + Send + Unpin,
    W: ObjectWriter,
{
    let (input, cutter) = records.parts();
    loop {
        let chunk = input.chunk().await?;
        if chunk.is_empty() {
            cutter.finish()?;
            return output.finish().await;
        }
        let taken = match cutter.push(chunk)? {
            Cut::Record(taken) => taken,
            Cut::More => chunk.len(),
        };
        output.write(&chunk[..taken]).await?;
        input.consume(taken);
    }
}

/// Writes the records one by one.
pub(super) async fn lay_out<R, W>(
    records: &mut Records<R>,
    mut output: Output<'_, W>,
    layout: &Layout,
    wanted: Option<Wanted>,
) -> Result<Written, SerialError>
where
    R: AsyncBufRead + Send + Unpin,
    W: ObjectWriter,
{
    let mut text = Vec::new();
    layout.open(&mut text);
    while records.next().await? {
        let index = records.count() - 1;
        let (record, place) = records.record();
        // A collection's features are Features, wherever they go.
        let wanted =
            wanted.map(|wanted| if records.path() == FEATURES_PATH { Wanted::Feature } else { wanted });
        if let Some(wanted) = wanted {
            wanted.check(record, place).map_err(|fault| fault.in_record(index))?;
        }
        layout.record(record, index, &mut text);
        output.write(&text).await?;
        text.clear();
    }
    layout.close(records.count(), &mut text);
    output.write(&text).await?;
    output.finish().await
}

async fn copy_text<W: ObjectWriter>(
    text: &str,
    sink: &mut W,
    to: Format,
    options: &ConvertOptions,
) -> Result<Passed, SerialError> {
    let mut output = Output::new(sink, to.compression, options.compression_level);
    output.write(text.as_bytes()).await?;
    Ok(Passed { records: 1, header: None, written: output.finish().await? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_do_nothing_is_refused() {
        let plain = ConvertOptions::default();
        let separated = ConvertOptions { record_separators: true, ..ConvertOptions::default() };
        let hard = ConvertOptions { compression_level: Some(10), ..ConvertOptions::default() };
        for (options, to, expected) in [
            (&plain, "json", Ok(())),
            (&separated, "geojsonl.gz", Ok(())),
            (
                &separated,
                "jsonl",
                Err("go with GeoJSON text sequences (geojsonl), and not with jsonl; leave them out"),
            ),
            (&hard, "json.zst", Ok(())),
            (&hard, "json.gz", Err("gzip has the levels 0 to 9, and not 10")),
            (&hard, "json", Err("goes with .gz or .zst")),
        ] {
            let checked = options.check(to.parse().unwrap());
            match (&checked, expected) {
                (Ok(()), Ok(())) => {}
                (Err(message), Err(expected)) => assert!(message.contains(expected), "{to}: {message}"),
                _ => panic!("{to}: {checked:?}"),
            }
        }
    }
}
