//! `load`, `dump`, `convert`, `validate`.

use std::io::{self, Write as _};

use anyhow::Context;
use batchwright::objects::{
    self, ConvertRequest, Converted, Issue, convert_between, load_from, validate_from,
};
use batchwright::ports::{NewObject, WriteCondition};
use batchwright::serial::{ConvertOptions, Format, Header, Syntax, ValidateOptions};

use super::args::{ConvertArgs, DumpArgs, LoadArgs, TargetArgs, ValidateArgs};
use super::place::{Reach, Reader, refuse_same};
use super::recursive;
use super::results::Results;
use super::transfer::Transfer;
use crate::args::Output;
use crate::exit::{Exit, Failure};
use crate::output::human;
use crate::output::text::harmless;

/// Members that are named where they were left out.
const LEFT_OUT_SHOWN: usize = 10;

pub(crate) async fn load(reach: &Reach, args: &LoadArgs) -> Result<Exit, Failure> {
    let mut results = Results::new(args.shown.output);
    let mut all_well = true;
    for source in &args.sources {
        let loaded = async {
            let format = format_of(source, args.format)?;
            load_from(
                reach.open(source, args.version.version_id.as_deref()).await?,
                source,
                format,
                args.max_bytes,
            )
            .await
        };
        let loaded = loaded.await;
        if args.shown.output != Output::Table {
            results.push(source, loaded, |_| (true, Vec::new()))?;
            continue;
        }
        // For people, the value itself is what there is to see.
        match loaded {
            Ok(loaded) => writeln!(io::stdout(), "{}", loaded.value).context("stdout")?,
            Err(failure) => {
                eprintln!("batchwright: {failure}");
                all_well = false;
            }
        }
    }
    if args.shown.output != Output::Table {
        return results.finish();
    }
    Ok(if all_well { Exit::Well } else { Exit::JobsFailed })
}

pub(crate) async fn dump(reach: &Reach, args: &DumpArgs) -> Result<Exit, Failure> {
    let source = (args.source.as_str(), None, Some(Format::plain(Syntax::Json)));
    written(reach, source, &args.target, args.target.options(None), args.shown.output).await
}

pub(crate) async fn convert(reach: &Reach, args: &ConvertArgs) -> Result<Exit, Failure> {
    if args.recursive {
        return recursive::convert(reach, args).await;
    }
    let source = (args.source.as_str(), args.version.version_id.as_deref(), args.from);
    written(reach, source, &args.target, args.options()?, args.shown.output).await
}

impl TargetArgs {
    /// How what is written is written.
    fn options(&self, header: Option<Header>) -> ConvertOptions {
        ConvertOptions {
            header,
            record_separators: self.record_separators,
            compression_level: self.compression_level,
            limits: self.limits.limits(),
        }
    }
}

impl ConvertArgs {
    /// How what is converted is converted. Errs for a header that is none.
    pub(super) fn options(&self) -> Result<ConvertOptions, Failure> {
        let header = self.header.as_deref().map(Header::parse).transpose();
        let header = header.map_err(|fault| Failure::Usage(format!("--header: {fault}")))?;
        Ok(self.target.options(header))
    }
}

/// What is read: its name, its version, its format.
type Source<'a> = (&'a str, Option<&'a str>, Option<Format>);

async fn written(
    reach: &Reach,
    (source, version_id, from): Source<'_>,
    target: &TargetArgs,
    options: ConvertOptions,
    output: Output,
) -> Result<Exit, Failure> {
    if let Ok(to) = format_of(&target.target, target.to) {
        options.check(to).map_err(Failure::Usage)?;
    }
    let converting = async {
        if target.if_match.is_none() {
            refuse_same(source, &target.target)?;
        }
        let formats = (format_of(source, from)?, format_of(&target.target, target.to)?);
        let settings = target.settings.settings()?;
        let wanted = NewObject::of_type(options.content_type(formats.1)).with(|wanted| {
            wanted.content_encoding = formats.1.content_encoding().map(str::to_owned);
            wanted.condition = condition(target.if_absent, &target.if_match);
            wanted.settings = settings;
        });
        let transfer = Transfer::of(reach.size_of(source, version_id).await);
        let reader = transfer.follow(reach.open(source, version_id).await?);
        let formats = (Some(formats.0), Some(formats.1));
        convert_one(reach, (source, reader), &target.target, formats, wanted, &options).await
    };
    let converted = converting.await;
    converted.iter().for_each(|done| warn_of_left_out(source, done));
    if reach.reader_is_gone() {
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        return Err(Failure::Broken(anyhow::Error::new(gone).context("stdout")));
    }
    // What is told must not stand among what is written.
    let is_stdout = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].contains(&target.target.as_str());
    let mut results = if is_stdout { Results::on_stderr(output) } else { Results::new(output) };
    results.push(source, converted, |done: &Converted| {
        let records = human::count(done.records, "record");
        let words = format!(
            "{records}, {} bytes in, {} bytes out, sha256 {}",
            done.bytes_in, done.bytes_out, done.sha256
        );
        (true, vec![words])
    })?;
    results.finish()
}

/// Says which members of a FeatureCollection what was written has no place for.
pub(super) fn warn_of_left_out(source: &str, done: &Converted) {
    if done.left_out.is_empty() {
        return;
    }
    let mut names = done
        .left_out
        .iter()
        .take(LEFT_OUT_SHOWN)
        .map(|name| format!("{name:?}"))
        .collect::<Vec<_>>()
        .join(", ");
    if done.left_out.len() > LEFT_OUT_SHOWN {
        names += " and others";
    }
    let crs = match done.left_out.iter().any(|name| name == "crs") {
        true => "; without \"crs\" its coordinates are taken for WGS 84",
        false => "",
    };
    let format = &done.to_format;
    eprintln!(
        "batchwright: {}: {format} has no place for these members beside the features, which were left out: {}{crs}",
        harmless(source),
        harmless(&names)
    );
}

/// Converts what is open already.
pub(super) async fn convert_one(
    reach: &Reach,
    (source, reader): (&str, Reader),
    target: &str,
    (from, to): (Option<Format>, Option<Format>),
    wanted: NewObject,
    options: &ConvertOptions,
) -> Result<Converted, objects::Failure> {
    let formats = (format_of(source, from)?, format_of(target, to)?);
    let writer = reach.create(target, wanted).await?;
    let request = ConvertRequest { options: options.clone(), ..ConvertRequest::default() };
    convert_between(reader, source, writer, target, formats, &request).await
}

/// When something may be written.
pub(super) fn condition(if_absent: bool, if_match: &Option<String>) -> WriteCondition {
    match if_match {
        _ if if_absent => WriteCondition::Absent,
        Some(etag) => WriteCondition::Unchanged { etag: etag.clone() },
        None => WriteCondition::Always,
    }
}

pub(crate) async fn validate(reach: &Reach, args: &ValidateArgs) -> Result<Exit, Failure> {
    let options = ValidateOptions {
        as_geojson: args.as_geojson,
        warnings: !args.no_warnings,
        limits: args.limits.limits(),
        ..ValidateOptions::default()
    };
    let mut results = Results::new(args.shown.output);
    for source in &args.sources {
        let validated = async {
            let format = format_of(source, args.format)?;
            validate_from(
                reach.open(source, args.version.version_id.as_deref()).await?,
                source,
                format,
                &options,
            )
            .await
        };
        results.push(source, validated.await, |seen| {
            let records = human::count(seen.records, "record");
            let counts = format!(
                "{}: {records}, {}, {}",
                if seen.valid { "valid" } else { "invalid" },
                human::count(seen.errors, "error"),
                human::count(seen.warnings, "warning")
            );
            let findings = seen.findings.iter().map(said);
            let hidden = seen.errors + seen.warnings - seen.findings.len() as u64;
            let rest = (hidden > 0).then(|| format!("{hidden} more are not shown"));
            (seen.valid, std::iter::once(counts).chain(findings).chain(rest).collect())
        })?;
    }
    results.finish()
}

fn said(issue: &Issue) -> String {
    let mut words = issue.severity.to_lowercase();
    if let (Some(line), Some(column)) = (issue.line, issue.column) {
        words += &format!(", line {line}, column {column}");
    }
    if !issue.pointer.is_empty() {
        words += &format!(", {}", issue.pointer);
    }
    format!("{words}: {}", issue.message)
}

fn format_of(name: &str, given: Option<Format>) -> Result<Format, objects::Failure> {
    given.map_or_else(|| Format::of_name(name).map_err(objects::Failure::invalid_request), Ok)
}
