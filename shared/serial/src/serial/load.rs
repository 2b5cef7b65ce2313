//! Whole inputs, within a bound.

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::io::AsyncBufRead;

use super::convert::{ConvertOptions, lay_out, pass};
use super::cutter::Cutter;
use super::error::SerialError;
use super::format::{Compression, Format, Syntax};
use super::header::Header;
use super::input::Input;
use super::layout::Layout;
use super::limits::Limits;
use super::output::Output;
use super::records::Records;
use super::sequence::SequenceCutter;
use super::sink::Memory;
use super::text_position::{Fault, TextPosition};
use super::wanted::Wanted;
use super::{exact_value, yaml};

const REMEDY: &str = "raise the bound, or convert it to a sequence and read that";

/// For a YAML document, which is held as a whole.
const YAML_REMEDY: &str =
    "raise the bound (--max-yaml-bytes; of load --max-bytes), or write it as several documents";

/// How messages name one.
pub(super) const YAML_DOCUMENT: &str = "the YAML document";

/// An input that was loaded.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The document, or the array of the sequence's records: each byte for byte, except from YAML.
    pub json: Box<RawValue>,
    /// The syntax that was asked for, and the compression that was found.
    pub from: Format,
    /// Elements, features or lines; 1 for a document that has none.
    pub records: u64,
    /// Bytes read, as stored.
    pub bytes_in: u64,
    /// The members beside the features, where a FeatureCollection was read as GeoJSON.
    pub header: Option<Header>,
}

impl Loaded {
    /// As a value. Errs where a key stands twice in an object, where a number is too large for a double,
    /// and where half a surrogate pair stands in a text. Digits beyond a double's are lost.
    pub fn value(&self) -> Result<Value, Fault> {
        exact_value::parse_unique(self.json.get().as_bytes(), TextPosition::START)?.to_value()
    }
}

/// Loads an input as JSON of `max_bytes` at most.
///
/// Of `from` the syntax counts: the compression is told by the bytes.
pub async fn load_json<R>(reader: R, from: Format, max_bytes: usize) -> Result<Loaded, SerialError>
where
    R: AsyncBufRead + Send + Unpin,
{
    let mut input = Input::open(reader).await?;
    let from = Format { syntax: from.syntax, compression: input.compression };
    let mut memory = Memory::up_to(max_bytes);
    let (loaded, bytes_in) = match from.syntax {
        Syntax::Yaml => {
            let text = read_text(&mut input, max_bytes, YAML_DOCUMENT).await?;
            let mut json = String::new();
            yaml::read(&text, max_bytes)?.write_json(&mut json);
            memory.bytes = json.into_bytes();
            (Ok((1, None)), input.bytes_in())
        }
        Syntax::Json | Syntax::GeoJson => {
            let limits = Limits { record_max_bytes: max_bytes, ..Limits::default() };
            let options = ConvertOptions { limits, ..ConvertOptions::default() };
            match pass(input, from.syntax, &mut memory, Format::plain(Syntax::Json), &options).await {
                Ok((passed, bytes_in)) => (Ok((passed.records, passed.header)), bytes_in),
                Err(error) => (Err(error), 0),
            }
        }
        Syntax::JsonLines | Syntax::GeoJsonSeq => {
            let takes_separators = from.syntax == Syntax::GeoJsonSeq;
            let cutter = SequenceCutter::new(input.start, takes_separators, max_bytes);
            let mut records = Records::new(input, Cutter::Sequence(cutter));
            let output = Output::new(&mut memory, Compression::None, None);
            let wanted = takes_separators.then_some(Wanted::GeoJson);
            let written = lay_out(&mut records, output, &Layout::Array, wanted).await;
            (written.map(|_| (records.count(), None)), records.bytes_in())
        }
    };
    if memory.is_full {
        return Err(SerialError::TooLarge { what: "the input", max_bytes, remedy: REMEDY });
    }
    let (records, header) = loaded?;
    let json = serde_json::from_slice(&memory.bytes)
        .map_err(|error| Fault::of_input(format!("serde_json does not read it: {error}")))?;
    Ok(Loaded { json, from, records, bytes_in, header })
}

/// Loads the unpacked text of any input, of `max_bytes` at most, without a byte order mark.
pub async fn load_text<R>(reader: R, max_bytes: usize) -> Result<String, SerialError>
where
    R: AsyncBufRead + Send + Unpin,
{
    let mut input = Input::open(reader).await?;
    read_text(&mut input, max_bytes, "the input").await
}

/// Reads all that is left.
pub(super) async fn read_text<R>(
    input: &mut Input<R>,
    max_bytes: usize,
    what: &'static str,
) -> Result<String, SerialError>
where
    R: AsyncBufRead + Send + Unpin,
{
    let mut bytes = Vec::new();
    loop {
        let chunk = input.chunk().await?;
        if chunk.is_empty() {
            break;
        }
        if bytes.len() + chunk.len() > max_bytes {
            let remedy = if what == YAML_DOCUMENT { YAML_REMEDY } else { REMEDY };
            return Err(SerialError::TooLarge { what, max_bytes, remedy });
        }
        bytes.extend_from_slice(chunk);
        let taken = chunk.len();
        input.consume(taken);
    }
    String::from_utf8(bytes).map_err(|error| {
        let bytes = error.as_bytes();
        let mut place = input.start;
        bytes[..error.utf8_error().valid_up_to()].iter().for_each(|&byte| place.pass(byte));
        let byte = bytes[error.utf8_error().valid_up_to()];
        Fault::at(place, format!("byte 0x{byte:02x} is no UTF-8 here; write the file in UTF-8")).into()
    })
}
