//! `convert --recursive`: everything under a prefix or in a folder, many at once, a result a line.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use batchwright::domain::s3_uri::Pattern;
use batchwright::objects::{self, Converted};
use batchwright::ports::{NewObject, WriteCondition};
use batchwright::serial::{ConvertOptions, Format};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::mpsc;

use super::args::ConvertArgs;
use super::documents::{condition, convert_one};
use super::place::Reach;
use super::results::Results;
use super::transfer::Transfer;
use crate::exit::{Exit, Failure};

/// Sources that are found before they are converted.
const AHEAD: usize = 256;

/// Something that is found, and its name below the place that is converted.
struct Found {
    source: String,
    relative: String,
}

/// Converts everything under the source to under the target, with the suffix of the target's format.
pub(crate) async fn convert(reach: &Reach, args: &ConvertArgs) -> Result<Exit, Failure> {
    let usage = |why: &str| Failure::Usage(format!("--recursive: {why}"));
    let to = args.target.to.ok_or_else(|| usage("name what is written by --to, as in --to geojsonl.gz"))?;
    if args.source == "-" || args.target.target == "-" {
        return Err(usage("name a prefix or a folder, and no standard input or output"));
    }
    if args.target.if_match.is_some() || args.version.version_id.is_some() {
        return Err(usage("--if-match and --version-id are of one object; leave them out"));
    }
    let pattern = args.glob.as_deref().map(Pattern::parse).transpose();
    let pattern = pattern.map_err(|error| Failure::Usage(error.to_string()))?;
    let settings = args.target.settings.settings().map_err(|error| Failure::Usage(error.to_string()))?;
    let options = args.options()?;
    let wanted = Wanted { to, condition: condition(args.target.if_absent, &None), settings, options };

    let (sender, receiver) = mpsc::channel(AHEAD);
    let mut passed_over = 0_u64;
    let takes = |name: &str| match &pattern {
        Some(pattern) => pattern.matches(name),
        None => args.from.is_some() || Format::of_name(name).is_ok(),
    };
    let finding = find(reach, &args.source, sender, |name| {
        let is_taken = takes(name);
        passed_over += u64::from(!is_taken);
        is_taken
    });

    let transfer = Transfer::of(None);
    let mut results = Results::lines(args.shown.output);
    let mut targets = Targets { root: &args.target.target, to, taken: HashSet::new() };
    let found = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    let (reach, wanted, transfer_of) = (&reach, &wanted, &transfer);
    let work = found
        .map(|found: Found| {
            let target = targets.of(&found.relative);
            async move {
                let became = match &target {
                    Ok(target) => one(reach, &found.source, target, args.from, wanted, transfer_of).await,
                    Err(failure) => Err(failure.clone()),
                };
                (found.source, became)
            }
        })
        .buffer_unordered(args.concurrency.into());
    let printing = async {
        let mut work = std::pin::pin!(work);
        while let Some((source, became)) = work.next().await {
            transfer.aside(|| results.push(&source, became, told))?;
        }
        Ok::<_, Failure>(())
    };
    let (found, printed) = tokio::join!(finding, printing);
    printed?;
    found?;
    drop(transfer);
    if passed_over > 0 {
        eprintln!("batchwright: {passed_over} were passed over: their names tell no format, or do not match");
    }
    results.finish()
}

/// How each is converted.
struct Wanted {
    to: Format,
    condition: WriteCondition,
    settings: batchwright::domain::ObjectSettings,
    options: ConvertOptions,
}

async fn one(
    reach: &Reach,
    source: &str,
    target: &str,
    from: Option<Format>,
    wanted: &Wanted,
    transfer: &Transfer,
) -> Result<Converted, objects::Failure> {
    make_folder(target)?;
    let new = NewObject::of_type(wanted.options.content_type(wanted.to)).with(|it| {
        it.content_encoding = wanted.to.content_encoding().map(str::to_owned);
        it.condition = wanted.condition.clone();
        it.settings = wanted.settings.clone();
    });
    let reader = transfer.follow(reach.open(source, None).await?);
    convert_one(reach, (source, reader), target, (from, Some(wanted.to)), new, &wanted.options).await
}

fn told(done: &Converted) -> (bool, String) {
    (true, format!("{}: {} records, {} bytes", done.to, done.records, done.bytes_out))
}

/// Folders of a file that is written; S3 has none.
fn make_folder(target: &str) -> Result<(), objects::Failure> {
    let folder = Path::new(target).parent().filter(|_| !target.contains("://"));
    match folder.map(std::fs::create_dir_all) {
        None | Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(objects::Failure::invalid_request(format!("{target}: {error}"))),
    }
}

/// Where each goes. Two that would go to one place are told, because the second would take the first's.
struct Targets<'a> {
    root: &'a str,
    to: Format,
    taken: HashSet<String>,
}

impl Targets<'_> {
    fn of(&mut self, relative: &str) -> Result<String, objects::Failure> {
        let refused = |why: &str| objects::Failure::invalid_request(format!("{relative:?}: {why}"));
        let is_file = !self.root.contains("://");
        let is_below = Path::new(relative).components().all(|step| matches!(step, Component::Normal(_)));
        if is_file && (!is_below || relative.contains("//")) {
            return Err(refused("its key is no path below a folder; convert it by itself"));
        }
        let name = format!("{}.{}", without_format(relative), self.to);
        let target = match self.root.ends_with('/') {
            true => format!("{}{name}", self.root),
            false => format!("{}/{name}", self.root),
        };
        match self.taken.insert(target.clone()) {
            true => Ok(target),
            false => Err(refused(&format!("{target} was made of another already; convert it by itself"))),
        }
    }
}

/// A name without the suffix that tells its format; of another name all.
fn without_format(name: &str) -> &str {
    let Ok(format) = Format::of_name(name) else { return name };
    let packed = if format.content_encoding().is_some() { name.rsplit_once('.') } else { Some((name, "")) };
    packed.and_then(|(name, _)| name.rsplit_once('.')).map_or(name, |(stem, _)| stem)
}

/// Finds what is taken, and hands it on.
async fn find(
    reach: &Reach,
    source: &str,
    sender: mpsc::Sender<Found>,
    mut takes: impl FnMut(&str) -> bool,
) -> Result<(), Failure> {
    if source.contains("://") || source.starts_with("arn:") {
        return find_objects(reach, source, sender, takes).await;
    }
    let root = PathBuf::from(source);
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let entry = entry.with_context(|| folder.display().to_string())?;
            let kind = entry.file_type().with_context(|| entry.path().display().to_string())?;
            let path = entry.path();
            let relative = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            // Symbolic links may lead round in circles.
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && takes(&relative) {
                let found = Found { source: path.to_string_lossy().into_owned(), relative };
                if sender.send(found).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

#[cfg(feature = "aws")]
async fn find_objects(
    reach: &Reach,
    source: &str,
    sender: mpsc::Sender<Found>,
    mut takes: impl FnMut(&str) -> bool,
) -> Result<(), Failure> {
    use batchwright::domain::S3Prefix;
    use batchwright::objects::{Filter, list_all};
    let place = S3Prefix::parse(source).map_err(|error| Failure::Usage(error.to_string()))?;
    let start = place.prefix.rfind('/').map_or(0, |at| at + 1);
    let base = format!("s3://{}/", place.bucket).len();
    let filter = Filter::default();
    let listing = list_all(reach.buckets().await, &place, &filter, 4, async |info| {
        let relative = info.uri[base + start..].to_owned();
        // What ends with a slash is a folder's mark.
        if !relative.is_empty() && !relative.ends_with('/') && takes(&relative) {
            let gone = || objects::Failure::invalid_request("nobody converts any more");
            sender.send(Found { source: info.uri, relative }).await.map_err(|_| gone())?;
        }
        Ok(())
    });
    let listed = listing.await;
    drop(sender);
    listed.map(drop).map_err(|failure| Failure::Broken(failure.into()))
}

#[cfg(not(feature = "aws"))]
async fn find_objects(
    _: &Reach,
    source: &str,
    _: mpsc::Sender<Found>,
    _: impl FnMut(&str) -> bool,
) -> Result<(), Failure> {
    Err(Failure::Usage(format!("{source}: this program was built without the feature aws")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_the_suffix_of_its_format_and_stays_below_its_root() {
        let mut targets = Targets { root: "out", to: "jsonl.gz".parse().unwrap(), taken: HashSet::new() };
        for (relative, target) in [
            ("a.json", "out/a.jsonl.gz"),
            ("b/c.geojson.zst", "out/b/c.jsonl.gz"),
            ("b/data.v1", "out/b/data.v1.jsonl.gz"),
        ] {
            assert_eq!(targets.of(relative).unwrap(), target);
        }
        for (relative, why) in [
            ("a.yaml", "out/a.jsonl.gz was made of another already"),
            ("../a.json", "its key is no path below a folder"),
            ("/etc/a.json", "its key is no path below a folder"),
            ("a//b.json", "its key is no path below a folder"),
        ] {
            let failure = targets.of(relative).unwrap_err();
            assert!(failure.message.contains(why), "{failure}");
        }
        let mut objects = Targets { root: "s3://b/out/", to: "json".parse().unwrap(), taken: HashSet::new() };
        assert_eq!(objects.of("a//../b.yml").unwrap(), "s3://b/out/a//../b.json");
    }
}
