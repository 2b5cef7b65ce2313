//! The module's operations as a caller sees them.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `reader` | readers that yield their input cut in two, byte by byte, or break off |
//! | `conversion` | every way from format to format |
//! | `scanner` | what is JSON, held against serde_json |
//! | `faults` | what is refused, with place and remedy |
//! | `chunks` | borders of chunks at every byte |
//! | `packing` | gzip and zstd |
//! | `loading` | whole inputs within a bound |
//! | `validation` | findings, counted and listed |
//! | `yaml` | YAML and back |
//! | `properties` | round trips of whatever |

mod chunks;
mod conversion;
mod faults;
mod loading;
mod packing;
mod properties;
mod reader;
mod scanner;
mod validation;
mod yaml;

use super::{AsyncSink, ConvertOptions, Format, Report, SerialError, convert};

fn format(name: &str) -> Format {
    name.parse().unwrap()
}

/// Runs to its end what waits for nothing outside.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

async fn converted_by(
    input: &[u8],
    from: &str,
    to: &str,
    options: &ConvertOptions,
) -> Result<(Vec<u8>, Report), SerialError> {
    let mut sink = AsyncSink(Vec::new());
    let report = convert(input, format(from), &mut sink, format(to), options).await?;
    assert_eq!(report.bytes_out, sink.0.len() as u64);
    Ok((sink.0, report))
}

fn converted(input: &str, from: &str, to: &str) -> Result<String, SerialError> {
    let converted = block_on(converted_by(input.as_bytes(), from, to, &ConvertOptions::default()));
    converted.map(|(bytes, _)| String::from_utf8(bytes).unwrap())
}

fn refused(input: &str, from: &str, to: &str) -> String {
    converted(input, from, to).unwrap_err().to_string()
}
