//! `convert --recursive`: everything under a prefix or in a folder, many at once, a result a line.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use batchwright::domain::S3Prefix;
use batchwright::domain::s3_uri::Pattern;
use batchwright::objects::{self, Converted};
use batchwright::ports::{NewObject, WriteCondition};
use batchwright::serial::{ConvertOptions, Format};
use futures_util::{FutureExt as _, StreamExt as _, future, stream};
use tokio::sync::mpsc;

use super::args::ConvertArgs;
use super::documents::{condition, convert_one, warn_of_left_out};
use super::place::Reach;
use super::results::{Results, Told};
use super::transfer::Transfer;
use crate::exit::{Exit, Failure};
use crate::output::human;

/// Sources that are found before they are converted.
const AHEAD: usize = 256;

/// Something that is found, and its name below the place that is converted.
struct Found {
    source: String,
    relative: String,
    /// Whether these are its names. Others are shown with marks in place of what is no text, and lead nowhere.
    is_text: bool,
}

/// What is not converted, so that nobody takes it for done.
#[derive(Default)]
struct PassedOver {
    /// Their names tell no format, or do not match.
    names: u64,
    /// They are what is made here, or lie where it goes.
    made: u64,
    /// Symbolic links.
    links: u64,
}

impl PassedOver {
    fn tell(&self) {
        let told = |count: u64, noun: &str, why: &str, whys: &str| {
            if count > 0 {
                eprintln!(
                    "batchwright: {} {}",
                    human::count(count, noun),
                    if count == 1 { why } else { whys }
                );
            }
        };
        told(
            self.names,
            "name",
            "was passed over: it tells no format, or does not match",
            "were passed over: they tell no format, or do not match",
        );
        told(
            self.made,
            "source",
            "was passed over: it is a target here, or lies under the target",
            "were passed over: they are targets here, or lie under the target",
        );
        told(self.links, "symbolic link", "was not followed", "were not followed");
    }
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
    options.check(to).map_err(Failure::Usage)?;
    let wanted = Wanted { to, condition: condition(args.target.if_absent, &None), settings, options };

    let nesting = Nesting::of(&args.source, &args.target.target, to)?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let mut passed_over = PassedOver::default();
    let is_wanted = |name: &str| match &pattern {
        Some(pattern) => pattern.matches(name),
        None => args.from.is_some() || Format::of_name(name).is_ok(),
    };
    let finding = find(reach, &args.source, sender, |name, is_link| {
        let because = match () {
            () if is_link => &mut passed_over.links,
            () if !is_wanted(name) => &mut passed_over.names,
            () if nesting.is_made_here(name) => &mut passed_over.made,
            () => return true,
        };
        *because += 1;
        false
    });
    let found = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    // What is made of one source may be another's name, which is known when all are.
    let (found, finding, made) = if nesting.needs_all() {
        let (ended, mut all) = tokio::join!(finding, found.collect::<Vec<Found>>());
        ended?;
        let before = all.len();
        let made: HashSet<String> = all.iter().map(|found| nesting.target_of(&found.relative)).collect();
        all.retain(|found| !made.contains(&nesting.source_of(&found.relative)));
        let made = (before - all.len()) as u64;
        (stream::iter(all).left_stream(), future::ok(()).left_future(), made)
    } else {
        (found.right_stream(), finding.right_future(), 0)
    };

    let transfer = Transfer::of(None);
    let mut results = Results::lines(args.shown.output);
    let mut targets = Targets { root: &args.target.target, to, taken: HashSet::new() };
    let (reach, wanted, transfer_of) = (&reach, &wanted, &transfer);
    let work = found
        .map(|found: Found| {
            let target = targets.of(&found);
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
        let mut is_nothing = true;
        while let Some((source, became)) = work.next().await {
            is_nothing = false;
            transfer.aside(|| {
                became.iter().for_each(|done| warn_of_left_out(&source, done));
                results.push(&source, became, told)
            })?;
        }
        Ok::<_, Failure>(is_nothing)
    };
    let (found, printed) = tokio::join!(finding, printing);
    let is_nothing = printed?;
    found?;
    drop(transfer);
    passed_over.made += made;
    passed_over.tell();
    if is_nothing {
        eprintln!("batchwright: {}: nothing to convert", args.source);
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

fn told(done: &Converted) -> Told {
    let words = format!("{}: {}, {} bytes", done.to, human::count(done.records, "record"), done.bytes_out);
    (true, vec![words])
}

/// Folders of a file that is written; S3 has none.
fn make_folder(target: &str) -> Result<(), objects::Failure> {
    let folder = Path::new(target).parent().filter(|_| !target.contains("://"));
    match folder.map(std::fs::create_dir_all) {
        None | Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(objects::Failure::invalid_request(format!("{target}: {error}"))),
    }
}

/// How what is converted and its target lie to each other, so that no target is taken for a source: not one of an
/// earlier time, and none that is written while sources are still being found.
struct Nesting {
    /// What stands before the names of what is found.
    source: String,
    /// What stands before the names of what is made.
    target: String,
    to: Format,
    /// Targets are found among the sources, all of them under one name.
    is_target_below: bool,
    /// Sources lie where targets go.
    is_source_below: bool,
}

impl Nesting {
    fn of(source: &str, target: &str, to: Format) -> Result<Self, Failure> {
        let (found, target) = (place(source)?, folder(&place(target)?));
        if is_remote(source) && !found.ends_with('/') && folder(&found) == target {
            return Err(Failure::Usage(format!(
                "--recursive: {source}: is source and target, and a prefix without a slash at its end has its last name in what is made; write {target} for both"
            )));
        }
        // A prefix is a beginning of keys: `rt` is one of `rt2/a.json`. A folder is not.
        let found = if is_remote(source) { found } else { folder(&found) };
        let cut = found.rfind('/').map_or(0, |at| at + 1);
        Ok(Self {
            is_target_below: target != found && target.starts_with(&found),
            is_source_below: target != found && found.starts_with(&target),
            source: found[..cut].to_owned(),
            target,
            to,
        })
    }

    fn source_of(&self, relative: &str) -> String {
        format!("{}{relative}", self.source)
    }

    fn target_of(&self, relative: &str) -> String {
        format!("{}{}", self.target, name_of_target(relative, self.to))
    }

    /// Whether a source is known to be a target by its name alone.
    fn is_made_here(&self, relative: &str) -> bool {
        let source = self.source_of(relative);
        self.is_target_below && source.starts_with(&self.target) || source == self.target_of(relative)
    }

    /// Whether a source may be the target of another one. Where both are one place it would be its own, too.
    fn needs_all(&self) -> bool {
        self.is_source_below
    }
}

fn is_remote(text: &str) -> bool {
    text.contains("://") || text.starts_with("arn:")
}

/// A place by the one name that it has: of a folder the way to it without links, as far as it is there.
fn place(text: &str) -> Result<String, Failure> {
    if is_remote(text) {
        let place = S3Prefix::parse(text).map_err(|error| Failure::Usage(error.to_string()))?;
        return Ok(format!("s3://{}/{}", place.bucket, place.prefix));
    }
    let path = std::path::absolute(text).with_context(|| text.to_owned())?;
    let there = path.ancestors().find_map(|folder| Some((folder, folder.canonicalize().ok()?)));
    let path = match there {
        Some((folder, real)) => real.join(path.strip_prefix(folder).unwrap_or(&path)),
        None => path,
    };
    Ok(path.to_string_lossy().into_owned())
}

fn folder(place: &str) -> String {
    if place.ends_with('/') { place.to_owned() } else { format!("{place}/") }
}

/// Where each goes. Two that would go to one place are told, because the second would take the first's.
struct Targets<'a> {
    root: &'a str,
    to: Format,
    taken: HashSet<String>,
}

impl Targets<'_> {
    fn of(&mut self, found: &Found) -> Result<String, objects::Failure> {
        let relative = &*found.relative;
        let refused = |why: &str| objects::Failure::invalid_request(format!("{relative:?}: {why}"));
        if !found.is_text {
            return Err(refused("its name is no UTF-8; rename it, or choose others by --glob"));
        }
        let is_file = !is_remote(self.root);
        let is_below = Path::new(relative).components().all(|step| matches!(step, Component::Normal(_)));
        if is_file && (!is_below || relative.contains("//")) {
            return Err(refused("its key is no path below a folder; convert it by itself"));
        }
        let target = format!("{}{}", folder(self.root), name_of_target(relative, self.to));
        match self.taken.insert(target.clone()) {
            true => Ok(target),
            false => Err(refused(&format!("{target} was made of another already; convert it by itself"))),
        }
    }
}

fn name_of_target(relative: &str, to: Format) -> String {
    format!("{}.{to}", without_format(relative))
}

/// A name without the suffix that tells its format; of another name all.
fn without_format(name: &str) -> &str {
    let Ok(format) = Format::of_name(name) else { return name };
    let packed = if format.content_encoding().is_some() { name.rsplit_once('.') } else { Some((name, "")) };
    packed.and_then(|(name, _)| name.rsplit_once('.')).map_or(name, |(stem, _)| stem)
}

/// Finds what is taken, and hands it on. `takes` is asked with a name and whether it is a symbolic link.
async fn find(
    reach: &Reach,
    source: &str,
    sender: mpsc::Sender<Found>,
    mut takes: impl FnMut(&str, bool) -> bool,
) -> Result<(), Failure> {
    if is_remote(source) {
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
            } else if (kind.is_file() || kind.is_symlink()) && takes(&relative, kind.is_symlink()) {
                let is_text = path.to_str().is_some();
                let found = Found { source: path.to_string_lossy().into_owned(), relative, is_text };
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
    mut takes: impl FnMut(&str, bool) -> bool,
) -> Result<(), Failure> {
    use batchwright::objects::{Filter, list_all};
    let place = S3Prefix::parse(source).map_err(|error| Failure::Usage(error.to_string()))?;
    let start = place.prefix.rfind('/').map_or(0, |at| at + 1);
    let base = format!("s3://{}/", place.bucket).len();
    let filter = Filter::default();
    let listing = list_all(reach.buckets().await, &place, &filter, 4, async |info| {
        let relative = info.uri[base + start..].to_owned();
        // What ends with a slash is a folder's mark.
        if !relative.is_empty() && !relative.ends_with('/') && takes(&relative, false) {
            let gone = || objects::Failure::invalid_request("nobody converts any more");
            sender.send(Found { source: info.uri, relative, is_text: true }).await.map_err(|_| gone())?;
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
    _: impl FnMut(&str, bool) -> bool,
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
            assert_eq!(targets.of(&found(relative)).unwrap(), target);
        }
        for (relative, why) in [
            ("a.yaml", "out/a.jsonl.gz was made of another already"),
            ("../a.json", "its key is no path below a folder"),
            ("/etc/a.json", "its key is no path below a folder"),
            ("a//b.json", "its key is no path below a folder"),
        ] {
            let failure = targets.of(&found(relative)).unwrap_err();
            assert!(failure.message.contains(why), "{failure}");
        }
        let mut objects = Targets { root: "s3://b/out/", to: "json".parse().unwrap(), taken: HashSet::new() };
        assert_eq!(objects.of(&found("a//../b.yml")).unwrap(), "s3://b/out/a//../b.json");
        let failure = objects.of(&Found { is_text: false, ..found("a.json") }).unwrap_err();
        assert!(failure.message.contains("its name is no UTF-8; rename it"), "{failure}");
    }

    fn found(relative: &str) -> Found {
        Found { source: relative.to_owned(), relative: relative.to_owned(), is_text: true }
    }

    #[test]
    fn what_is_made_here_is_no_source() {
        for (source, target, relative, is_made) in [
            ("s3://b/in/", "s3://b/out/", "a.jsonl", false),
            ("s3://b/in/", "s3://b/in/", "a.json", false),
            ("s3://b/in/", "s3://b/in", "a.jsonl", true),
            ("s3://b/in/", "s3://b/in/", "a.jsonl.gz", false),
            ("s3://b/in/", "s3://b/in/out", "out/a.json", true),
            ("s3://b/in/", "s3://b/in/out", "outer/a.json", false),
            ("s3://b", "s3://b/out", "out/c.jsonl", true),
            // A prefix without a slash is a beginning of names.
            ("s3://b/rt", "s3://b/rt2", "rt/a.json", false),
            ("s3://b/rt", "s3://b/rt2", "rt2/rt/a.jsonl", true),
            ("s3a://b/rt/", "s3://b/rt2", "a.json", false),
            ("s3://b/rt/", "s3://c/rt/x", "x/a.json", false),
            ("/nowhere/rt", "/nowhere/rt2", "a.json", false),
            ("/nowhere/rt", "/nowhere/rt/", "a.jsonl", true),
            ("/nowhere/rt", "/nowhere/rt/rt2/", "rt2/c.jsonl", true),
        ] {
            let nesting = Nesting::of(source, target, "jsonl".parse().unwrap()).unwrap();
            assert_eq!(nesting.is_made_here(relative), is_made, "{source} {target} {relative}");
            assert!(!nesting.needs_all(), "{source} {target}");
        }
        let up = Nesting::of("/nowhere/a/b", "/nowhere/a", "jsonl".parse().unwrap()).unwrap();
        assert!(up.needs_all(), "of a/b/b/c.json is made a/b/c.jsonl");
        assert_eq!(up.target_of("b/c.json"), up.source_of("c.jsonl"));
        let refused = Nesting::of("s3://b/rt", "s3://b/rt", "jsonl".parse().unwrap()).err().unwrap();
        assert!(matches!(refused, Failure::Usage(why) if why.ends_with("write s3://b/rt/ for both")));
    }
}
