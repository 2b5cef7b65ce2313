//! A complete file of results, brought into order: one line for each item.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::existing::Line;

/// Writes the file anew, the last line of each item alone, and puts it in its own place. Killed on the way, it
/// leaves the file as it was.
pub(super) fn tidy(file: &File, path: &Path, sorts: bool) -> std::io::Result<()> {
    let mut places: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    reader.rewind()?;
    let (mut bytes, mut at) = (Vec::new(), 0);
    loop {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let length = bytes.len() as u64;
        let line: Line = serde_json::from_slice(&bytes)?;
        places.insert(line.index, (at, length));
        at += length;
    }
    let mut places: Vec<(u64, u64)> = places.into_values().collect();
    if !sorts {
        places.sort_unstable();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".tidy");
    let mut tidied = BufWriter::new(File::create(&name)?);
    for (at, length) in places {
        if reader.stream_position()? != at {
            reader.seek(SeekFrom::Start(at))?;
        }
        std::io::copy(&mut (&mut reader).take(length), &mut tidied)?;
    }
    tidied.flush()?;
    tidied.get_ref().sync_all()?;
    // A link is left a link: what it leads to is replaced.
    std::fs::rename(&name, std::fs::canonicalize(path)?)
}
