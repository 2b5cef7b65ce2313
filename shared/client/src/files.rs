//! Documents in files of this machine, as values.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, BufReader};

use batchwright_serial::objects::{
    ConvertRequest, Converted, Failure, FailureCode, LoadRequest, convert_between, load_from,
};
use batchwright_serial::serial::{Format, Syntax};

use batchwright_core::json;

use crate::ports::{ConditionalWriter, ObjectWriter, PortError, Written};

/// Loads a file as a value: JSON, JSON Lines, GeoJSON, GeoJSON text sequences and YAML, each also `.gz` and `.zst`,
/// told by its suffix. A sequence is an array of its records.
///
/// Errs where it can't be read, where it is not what its suffix says, and where it does not fit the type.
///
/// ```
/// # use batchwright_client as batchwright;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use batchwright::files;
///
/// let path = std::env::temp_dir().join(format!("heights-{}.jsonl.gz", std::process::id()));
/// files::dump(&path, &[4_810, 8_849]).await?;
/// assert_eq!(files::load::<Vec<u32>>(&path).await?, [4_810, 8_849]);
/// # std::fs::remove_file(path)?;
/// # Ok(())
/// # }
/// ```
pub async fn load<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<T, Failure> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let format = format_of(path)?;
    let file = File::open(path).await.map_err(|error| {
        let absent = error.kind() == io::ErrorKind::NotFound;
        let code = if absent { FailureCode::NotFound } else { FailureCode::Refused };
        Failure::new(code, format!("{name}: {error}"))
    })?;
    let loaded = load_from(BufReader::new(file), &name, format, LoadRequest::default().max_bytes).await?;
    serde_json::from_str(loaded.value.get())
        .map_err(|error| Failure::new(FailureCode::InvalidContent, format!("{name}: {error}")))
}

/// Writes a value as a file, in place of what is there. It appears whole or not at all; a link to a file stays, and so
/// do the permissions of a file that is replaced.
///
/// JSON Lines takes an array, an element a line, or any other value as its one line. GeoJSON takes a GeoJSON object, a
/// FeatureCollection or another, and a GeoJSON text sequence also an array of Features.
///
/// Errs where the value is not what the suffix says, where it holds a NaN or an infinity, and where the folder can't be
/// written to.
pub async fn dump<T: Serialize + ?Sized>(path: impl AsRef<Path>, value: &T) -> Result<Converted, Failure> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let format = format_of(path)?;
    let text = json::to_string(value)
        .map_err(|error| Failure::new(FailureCode::InvalidContent, format!("{name}: {error}")))?;
    let writer = WholeFile::beside(path).map_err(|error| failed(path, error))?;
    let formats = (Format::plain(Syntax::Json), format);
    let request = ConvertRequest::default();
    let dumped = convert_between(text.as_bytes(), &name, writer, &name, formats, &request);
    // Deeper than the compiler follows from another crate.
    Box::pin(dumped).await
}

fn format_of(path: &Path) -> Result<Format, Failure> {
    Format::of_name(&path.display().to_string()).map_err(Failure::invalid_request)
}

fn failed(path: &Path, error: io::Error) -> PortError {
    PortError::permanent("write a file", format!("{}: {error}", path.display())).with_origin(error)
}

/// A file that takes its name when all is written and on disk. Dropped before, it leaves nothing behind.
struct WholeFile {
    path: PathBuf,
    file: File,
    written: TempPath,
}

impl WholeFile {
    fn beside(path: &Path) -> io::Result<Self> {
        let old = match std::fs::metadata(path) {
            Ok(old) => Some(old.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        // The file that links lead to, where there is one.
        let path = if old.is_some() { path.canonicalize()? } else { path.to_owned() };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".batchwright-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As every new file has them: less what the process masks out.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let (file, written) = builder.tempfile_in(folder)?.into_parts();
        if let Some(old) = old {
            file.set_permissions(old)?;
        }
        Ok(Self { path, file: File::from_std(file), written })
    }
}

impl ObjectWriter for WholeFile {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.file.write_all(bytes).await.map_err(|error| failed(&self.path, error))
    }

    async fn finish(self) -> Result<(), PortError> {
        self.commit().await.map(|_| ())
    }
}

impl ConditionalWriter for WholeFile {
    async fn commit(self) -> Result<Written, PortError> {
        let Self { path, mut file, written } = self;
        let kept = async {
            file.flush().await?;
            file.sync_all().await?;
            written.persist(&path).map_err(|error| error.error)
        };
        kept.await.map_err(|error| failed(&path, error))?;
        Ok(Written::Done { etag: None })
    }

    async fn abort(self) {}
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn values_go_there_and_back_in_every_format() {
        let folder = tempfile::tempdir().unwrap();
        let feature = json!({"type": "Feature", "properties": {"n": 1}, "geometry": null});
        let collection = json!({"type": "FeatureCollection", "features": [feature]});
        for (name, value, back) in [
            ("a.json", json!({"a": [1, 2.5, null]}), json!({"a": [1, 2.5, null]})),
            ("a.yaml.gz", json!({"a": "no"}), json!({"a": "no"})),
            ("a.jsonl.zst", json!([1, 2]), json!([1, 2])),
            ("b.jsonl", json!({"a": 1}), json!([{"a": 1}])),
            ("a.geojson", collection.clone(), collection.clone()),
            ("b.geojson", feature.clone(), feature.clone()),
            ("a.geojsons", collection, json!([feature])),
            ("b.geojsons", json!([feature]), json!([feature])),
            ("c.geojsons", feature.clone(), json!([feature])),
        ] {
            let path = folder.path().join(name);
            dump(&path, &value).await.unwrap();
            assert_eq!(load::<Value>(&path).await.unwrap(), back, "{name}");
        }
    }

    #[tokio::test]
    async fn a_file_is_replaced_as_a_whole_or_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.geojson"), folder.path().join("link.geojson"));
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a.geojson", &link).unwrap();
        let failure = dump(&link, &json!([1])).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::InvalidContent, "{failure}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        dump(&link, &json!({"type": "FeatureCollection", "features": []})).await.unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(load::<Value>(&path).await.unwrap()["features"].is_array());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside them");
    }

    #[tokio::test]
    async fn what_is_wrong_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("n.json"), "[1]").unwrap();
        for (failure, code) in [
            (load::<String>(at("n.json")).await.err(), FailureCode::InvalidContent),
            (load::<Value>(at("n.none.json")).await.err(), FailureCode::NotFound),
            (dump(at("n.json"), &vec![1.0, f64::NAN]).await.err(), FailureCode::InvalidContent),
            (dump(at("n.yaml"), &f64::INFINITY).await.err(), FailureCode::InvalidContent),
            (dump(at("n.jsonl.gz"), &[Some(1.0), Some(f64::NAN)]).await.err(), FailureCode::InvalidContent),
            (dump(at("n.geojson"), &json!({"a": 1})).await.err(), FailureCode::InvalidContent),
            (dump(at("n.geojsons"), &[1]).await.err(), FailureCode::InvalidContent),
            (dump(at("n.txt"), &1).await.err(), FailureCode::InvalidRequest),
            (dump(at("no/n.json"), &1).await.err(), FailureCode::Refused),
        ] {
            let failure = failure.unwrap();
            assert_eq!(failure.code, code, "{failure}");
            assert!(failure.message.contains("n."), "{failure}");
        }
    }
}
