//! What must hold of any bytes whatever. Each target panics where it does not.
//!
//! `fuzz_targets/` hands these to libFuzzer; the test `fuzz_corpus` runs them over `corpus/` and over
//! mutations of it.

use batchwright::domain::S3Uri;
use batchwright::events::Event;
use batchwright::job_file;
use batchwright::serial::{AsyncSink, ConvertOptions, Format, Limits, ValidateOptions, convert, validate};

/// A target's name, and the target.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const TARGETS: [Target; 6] = [
    ("event", event),
    ("geojson_seq", geojson_seq),
    ("job_file", job_file),
    ("json", json),
    ("s3_uri", s3_uri),
    ("yaml", yaml),
];

/// An event is read or refused, from bytes as from a value.
pub(crate) fn event(data: &[u8]) {
    let parsed = Event::parse(data);
    if let Ok(value) = serde_json::from_slice(data) {
        assert_eq!(parsed.is_ok(), Event::from_value(value).is_ok());
    }
}

/// A URI is what it was written as, and has one meaning in every form.
pub(crate) fn s3_uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(uri) = S3Uri::parse(text) {
        assert!(uri.to_string() == text || !text.starts_with("s3://"));
        assert_eq!(S3Uri::parse(&uri.to_string()), Ok(uri));
    }
}

/// A job file is read to its end or refused with problems, each of which can be shown. The first byte
/// chooses the name.
pub(crate) fn job_file(data: &[u8]) {
    let [first, data @ ..] = data else { return };
    let name = ["jobs.json", "jobs.jsonl", "jobs.yaml", "jobs"][usize::from(first % 4)];
    block_on(async {
        let mut file = match job_file::open(data, name).await {
            Ok(file) => file,
            Err(error) => return assert!(!error.to_string().is_empty()),
        };
        let mut count = 0;
        loop {
            match file.next().await {
                Ok(Some(entry)) => {
                    count += 1;
                    if let Err(problems) = entry.job {
                        assert!(
                            !problems.is_empty()
                                && problems.iter().all(|problem| !problem.to_string().is_empty())
                        );
                    }
                }
                Ok(None) => break,
                Err(error) => return assert!(!error.to_string().is_empty()),
            }
        }
        assert!(count > 0, "a file without jobs is refused");
    });
}

/// A sequence that is read is read again the same from what is written of it, with separators and without,
/// through a collection, and byte by byte. It is valid only where it can be read.
pub(crate) fn geojson_seq(data: &[u8]) {
    let options = ConvertOptions { limits: limits(), ..ConvertOptions::default() };
    let separated = ConvertOptions { record_separators: true, ..options.clone() };
    let lines = converted(data, "geojsonl", "geojsonl", &options);
    let by_byte = block_on(async {
        let reader = tokio::io::BufReader::with_capacity(1, data);
        let mut sink = AsyncSink(Vec::new());
        let done = convert(reader, format("geojsonl"), &mut sink, format("geojsonl"), &options).await;
        done.map(|_| sink.0).map_err(|error| error.to_string())
    });
    // Of packed data that is broken, the message tells how far it was read.
    assert!(
        by_byte == lines || is_packed(data) && by_byte.is_err() && lines.is_err(),
        "{by_byte:?} {lines:?}"
    );
    let found = block_on(validate(
        data,
        format("geojsonl"),
        &ValidateOptions { limits: limits(), ..ValidateOptions::default() },
    ));
    let Ok(lines) = lines else { return };
    assert!(found.is_ok());
    assert_eq!(converted(&lines, "geojsonl", "geojsonl", &options).as_ref(), Ok(&lines));
    let with_separators = converted(&lines, "geojsonl", "geojsonl", &separated);
    let back = with_separators.and_then(|bytes| converted(&bytes, "geojsonl", "geojsonl", &options));
    assert_eq!(back.as_ref(), Ok(&lines));
    if let Ok(collection) = converted(&lines, "geojsonl", "geojson", &options) {
        assert_eq!(converted(&collection, "geojson", "geojsonl", &options), Ok(lines));
    }
}

/// What is copied as JSON is what serde_json reads, and comes out as it went in; its records are read too.
pub(crate) fn json(data: &[u8]) {
    let options = ConvertOptions { limits: limits(), ..ConvertOptions::default() };
    let copied = converted(data, "json", "json", &options);
    let lines = converted(data, "json", "jsonl", &options);
    let geojson = converted(data, "geojson", "geojson", &options);
    if is_packed(data) {
        return;
    }
    let bare = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let reads =
        std::str::from_utf8(bare).is_ok() && serde_json::from_slice::<serde::de::IgnoredAny>(bare).is_ok();
    match copied {
        Ok(copied) => {
            assert!(reads && copied == bare, "what serde_json refuses was copied, or not as it was");
            assert!(lines.is_ok(), "{lines:?}");
        }
        Err(message) => {
            assert!(!reads || message.contains("nested more than"), "{message}");
            assert!(lines.is_err() && geojson.is_err());
        }
    }
}

/// YAML that is read is read the same from what is written of it, and is written the same again. A number's exponent may be
/// spelt in another way: YAML 1.1 wants `1.0e+3` for `1e3`.
pub(crate) fn yaml(data: &[u8]) {
    let options = ConvertOptions { limits: limits(), ..ConvertOptions::default() };
    let Ok(json) = converted(data, "yaml", "json", &options) else { return };
    let Ok(yaml) = converted(&json, "json", "yaml", &options) else { return };
    let shown = String::from_utf8_lossy(&yaml);
    let back = converted(&yaml, "yaml", "json", &options).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(value(&back), value(&json), "{shown}");
    assert_eq!(converted(&back, "json", "yaml", &options).as_ref(), Ok(&yaml), "{shown}");
}

fn value(json: &[u8]) -> serde_json::Value {
    serde_json::from_slice(json).expect("what was written as JSON is JSON")
}

fn is_packed(data: &[u8]) -> bool {
    data.starts_with(b"\x1f\x8b") || data.starts_with(b"\x28\xb5\x2f\xfd")
}

fn limits() -> Limits {
    Limits { record_max_bytes: 64 * 1024, whole_max_bytes: 64 * 1024 }
}

fn format(name: &str) -> Format {
    name.parse().expect("a format's name")
}

fn converted(data: &[u8], from: &str, to: &str, options: &ConvertOptions) -> Result<Vec<u8>, String> {
    let mut sink = AsyncSink(Vec::new());
    let done = block_on(convert(data, format(from), &mut sink, format(to), options));
    done.map(|_| sink.0).map_err(|error| error.to_string())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}
