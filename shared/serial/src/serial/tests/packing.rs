//! gzip and zstd.

use super::reader::Pieces;
use super::{block_on, converted_by, format};
use crate::serial::{AsyncSink, ConvertOptions, SerialError, convert};

fn packed(text: &[u8], to: &str) -> Vec<u8> {
    block_on(converted_by(text, "json", to, &ConvertOptions::default())).unwrap().0
}

fn unpacked(bytes: &[u8]) -> Result<(String, String), String> {
    let done = block_on(converted_by(bytes, "json", "json", &ConvertOptions::default()));
    done.map(|(bytes, report)| (String::from_utf8(bytes).unwrap(), report.from.to_string()))
        .map_err(|error| error.to_string())
}

/// Poorly compressible, longer than any buffer on the way.
fn long() -> String {
    let numbers: Vec<String> =
        (0..120_000u64).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_string()).collect();
    format!("[{}]", numbers.join(","))
}

#[test]
fn what_is_packed_comes_out_the_same_whatever_the_name_says() {
    let text = long();
    for packing in ["json.gz", "json.zst"] {
        let bytes = packed(text.as_bytes(), packing);
        assert!(bytes.len() < text.len());
        assert_eq!(bytes, packed(text.as_bytes(), packing), "the same input gives the same bytes");
        assert_eq!(unpacked(&bytes), Ok((text.clone(), packing.to_owned())));
    }
    assert_eq!(unpacked(b"[1]"), Ok(("[1]".to_owned(), "json".to_owned())));
}

#[test]
fn members_and_frames_follow_each_other() {
    for packing in ["json.gz", "json.zst"] {
        let parts: Vec<Vec<u8>> = ["[1,", "2", "]"].map(|part| pack_raw(part.as_bytes(), packing)).to_vec();
        assert_eq!(unpacked(&parts.concat()).unwrap().0, "[1,2]", "{packing}");
    }
}

/// Packs what need not be JSON.
fn pack_raw(bytes: &[u8], packing: &str) -> Vec<u8> {
    use async_compression::tokio::write::GzipEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use tokio::io::AsyncWriteExt as _;
    if packing.ends_with("zst") {
        return compress_to_vec(bytes, CompressionLevel::Fastest);
    }
    block_on(async {
        let mut encoder = GzipEncoder::new(Vec::new());
        encoder.write_all(bytes).await.unwrap();
        encoder.shutdown().await.unwrap();
        encoder.into_inner()
    })
}

/// Skippable frames, a frame without a checksum in one stored block, and one in one repeated byte.
#[test]
fn zstd_frames_of_every_kind_are_read_wherever_chunks_end() {
    let magic = [0x28, 0xB5, 0x2F, 0xFD];
    let stored = |text: &[u8]| {
        [&magic, &[0x20, text.len() as u8][..], &[(text.len() as u8) << 3 | 1, 0, 0], text].concat()
    };
    let repeated = [&magic[..], &[0x20, 5], &[5 << 3 | 0b011, 0, 0], b"1"].concat();
    let skipped = [0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 9, 9, 9];
    let empty_skipped = [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0];
    let packed = pack_raw(b",2", "zst");
    let bytes =
        [&stored(b"["), &skipped[..], &repeated, &empty_skipped, &packed, &stored(b"]"), &skipped].concat();
    for at in 0..=bytes.len() {
        let mut sink = AsyncSink(Vec::new());
        let (json, options) = (format("json"), ConvertOptions::default());
        block_on(convert(Pieces::cut_at(&bytes, at), json, &mut sink, json, &options)).unwrap();
        assert_eq!(String::from_utf8(sink.0).unwrap(), "[11111,2]");
    }
    for end in bytes.len() - skipped.len() + 1..bytes.len() {
        assert!(unpacked(&bytes[..end]).unwrap_err().contains("the zstd data breaks off"), "{end}");
    }
    for garbage in [&b"x"[..], b"something that is no frame"] {
        let told = unpacked(&[&bytes, garbage].concat()).unwrap_err();
        assert!(told.contains("the zstd data can't be unpacked"), "{told}");
    }
}

/// As tapes and block devices leave them; gzip passes over them too.
#[test]
fn zeros_behind_gzip_are_passed_over_wherever_chunks_end() {
    let (one, two) = (pack_raw(b"[1,", "gz"), pack_raw(b"2]", "gz"));
    let bytes = [&one[..], &[0; 5], &two, &[0; 600]].concat();
    for at in 0..=bytes.len() {
        let mut sink = AsyncSink(Vec::new());
        let (json, options) = (format("json"), ConvertOptions::default());
        let done = block_on(convert(Pieces::cut_at(&bytes, at), json, &mut sink, json, &options)).unwrap();
        assert_eq!((sink.0.as_slice(), done.bytes_in), (&b"[1,2]"[..], bytes.len() as u64));
    }
    let garbage = [&bytes[..], b"x"].concat();
    assert!(unpacked(&garbage).unwrap_err().contains("the gzip data"), "{:?}", unpacked(&garbage));
}

#[test]
fn a_level_is_chosen_and_one_that_there_is_not_is_refused() {
    let numbers: Vec<String> = (0..5_000u64).map(|number| (number * number).to_string()).collect();
    let text = format!("[{}]", numbers.join(","));
    let at = |packing: &str, level| {
        let options = ConvertOptions { compression_level: level, ..ConvertOptions::default() };
        block_on(converted_by(text.as_bytes(), "json", packing, &options))
    };
    for (packing, low, usual, high) in [("json.gz", 1, 7, 9), ("json.zst", 1, 3, 19)] {
        let bytes = |level| at(packing, level).unwrap().0;
        // zstd takes up longer repetitions where no level is wanted.
        assert_eq!(bytes(None) == bytes(Some(usual)), packing == "json.gz", "{packing}");
        assert!(bytes(Some(low)) != bytes(Some(usual)), "{packing}");
        assert!(bytes(Some(high)).len() < bytes(Some(low)).len(), "{packing}");
        assert_eq!(unpacked(&bytes(Some(high))).unwrap().0, text);
    }
    for (packing, level, why) in [
        ("json.gz", 10, "gzip has the levels 0 to 9, and not 10"),
        ("json.zst", 0, "zstd has the levels 1 to 22, and not 0"),
        ("json", 1, "a compression level of 1 goes with .gz or .zst; name one of them"),
    ] {
        assert_eq!(at(packing, Some(level)).unwrap_err().to_string(), why);
    }
}

/// GeoJSON packs no worse than by `zstd -3`, whose parameters an explicit level has.
#[test]
fn coordinates_pack_smaller_than_at_zstds_own_level() {
    let coordinate = |number: u64| (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 10_000_000) as f64 / 1e5;
    let features: Vec<String> = (0..20_000)
        .map(|number| {
            let (x, y) = (coordinate(2 * number), coordinate(2 * number + 1));
            format!(r#"{{"type":"Feature","properties":{{"n":{number}}},"geometry":{{"type":"Point","coordinates":[{x},{y}]}}}}"#)
        })
        .collect();
    let text = format!("[{}]", features.join(","));
    let at = |compression_level| {
        let options = ConvertOptions { compression_level, ..ConvertOptions::default() };
        block_on(converted_by(text.as_bytes(), "json", "jsonl.zst", &options)).unwrap().0.len()
    };
    assert!(at(None) < at(Some(3)), "{} {}", at(None), at(Some(3)));
}

/// What zstd's own library has packed, another reads, and the other way round.
#[test]
fn zstd_is_that_of_everybody() {
    use std::io::Read as _;
    let text = long();
    let bytes = packed(text.as_bytes(), "json.zst");
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(bytes.as_slice()).unwrap();
    let mut read = String::new();
    decoder.read_to_string(&mut read).unwrap();
    assert_eq!(read, text);
}

#[test]
fn nothing_at_all_is_an_empty_frame() {
    for packing in ["jsonl.gz", "jsonl.zst"] {
        let done = block_on(converted_by(b"", "jsonl", packing, &ConvertOptions::default())).unwrap();
        assert!(done.1.bytes_out > 4, "{packing}");
        let back = block_on(converted_by(&done.0, "jsonl", "jsonl", &ConvertOptions::default())).unwrap();
        assert_eq!((back.0, back.1.from.to_string().as_str()), (Vec::new(), packing));
    }
}

#[test]
fn packed_data_that_is_cut_short_anywhere_is_refused() {
    let text = b"[1, 2, 3, \"some text that is not very long\"]\n";
    for packing in ["json.gz", "json.zst"] {
        let bytes = packed(text, packing);
        for end in 4..bytes.len() {
            let message = unpacked(&bytes[..end]).unwrap_err();
            assert!(
                message.contains("breaks off after") || message.contains("can't be unpacked"),
                "{packing} {end}: {message}"
            );
        }
    }
}

#[test]
fn packed_data_that_is_damaged_is_refused() {
    for packing in ["json.gz", "json.zst"] {
        let mut bytes = packed(long().as_bytes(), packing);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        bytes[middle + 1] ^= 0x55;
        unpacked(&bytes).unwrap_err();
    }
}

#[test]
fn a_lost_connection_is_no_fault_of_the_input() {
    for bytes in [
        b"[1,".to_vec(),
        packed(b"[1, 2]", "json.gz")[..15].to_vec(),
        packed(b"[1, 2]", "json.zst")[..10].to_vec(),
    ] {
        let mut sink = AsyncSink(Vec::new());
        let error = block_on(convert(
            Pieces::lost_after(&bytes),
            format("json"),
            &mut sink,
            format("jsonl"),
            &ConvertOptions::default(),
        ))
        .unwrap_err();
        assert!(matches!(error, SerialError::Read(_)), "{error}");
        assert_eq!(error.to_string(), "the input can't be read: the connection is lost");
    }
}

#[test]
fn bytes_are_counted_as_stored() {
    let bytes = packed(b"[1, 2]", "json.gz");
    let done = block_on(converted_by(&bytes, "json.zst", "jsonl.zst", &ConvertOptions::default())).unwrap();
    assert_eq!((done.1.bytes_in, done.1.from.to_string().as_str()), (bytes.len() as u64, "json.gz"));
}
