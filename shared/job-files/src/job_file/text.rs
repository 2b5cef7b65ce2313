//! Bytes as text.

use super::problem::Problem;

/// The byte order mark that some editors put first.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// How a zstd frame begins, which is no UTF-8. Source: RFC 8878, section 3.1.1.
const ZSTD_MAGIC: &[u8] = b"\x28\xB5\x2F\xFD";

/// Reads UTF-8, after a byte order mark where there is one.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, Problem> {
    decode_at(bytes.strip_prefix(BOM).unwrap_or(bytes), 1)
}

/// Reads UTF-8 that begins on the given line.
pub(super) fn decode_at(bytes: &[u8], first_line: u64) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| {
        if first_line == 1 && bytes.starts_with(ZSTD_MAGIC) {
            return Problem::of_file(
                "the file is packed by zstd, which is not read here; pack it by gzip, or leave it as it is",
            );
        }
        let good = &bytes[..error.valid_up_to()];
        let line = first_line + good.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let column = good.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
        let byte = bytes[error.valid_up_to()];
        Problem::at_line(line, format!("invalid UTF-8: byte 0x{byte:02x} at byte {column} of the line"))
    })
}
