//! `load`, `dump`, `convert`, `validate`.

use std::io::{self, Write as _};

use anyhow::Context;
use batchwright::objects::{
    self, ConvertRequest, Converted, Issue, convert_between, load_from, validate_from,
};
use batchwright::ports::{NewObject, WriteCondition};
use batchwright::serial::{ConvertOptions, Format, Header, Syntax, ValidateOptions};

use super::args::{ConvertArgs, DumpArgs, LoadArgs, TargetArgs, ValidateArgs};
use super::place::{Reach, refuse_same};
use super::results::Results;
use crate::args::Output;
use crate::exit::{Exit, Failure};
use crate::output::human;

pub(crate) async fn load(reach: &Reach, args: &LoadArgs) -> Result<Exit, Failure> {
    let mut results = Results::new(args.shown.output);
    let mut all_well = true;
    for source in &args.sources {
        let loaded = async {
            let format = format_of(source, args.format)?;
            load_from(reach.open(source).await?, source, format, args.max_bytes).await
        };
        let loaded = loaded.await;
        if args.shown.output != Output::Table {
            results.push(source, loaded, |_| (true, String::new()))?;
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
    let json = Some(Format::plain(Syntax::Json));
    written(reach, &args.source, &args.target, json, None, args.shown.output).await
}

pub(crate) async fn convert(reach: &Reach, args: &ConvertArgs) -> Result<Exit, Failure> {
    let header = args.header.as_deref().map(Header::parse).transpose();
    let header = header.map_err(|fault| Failure::Usage(format!("--header: {fault}")))?;
    written(reach, &args.source, &args.target, args.from, header, args.shown.output).await
}

async fn written(
    reach: &Reach,
    source: &str,
    target: &TargetArgs,
    from: Option<Format>,
    header: Option<Header>,
    output: Output,
) -> Result<Exit, Failure> {
    let options =
        ConvertOptions { header, record_separators: target.record_separators, ..ConvertOptions::default() };
    let converting = async {
        if target.if_match.is_none() {
            refuse_same(source, &target.target)?;
        }
        let formats = (format_of(source, from)?, format_of(&target.target, target.to)?);
        let wanted = NewObject {
            content_encoding: formats.1.content_encoding().map(str::to_owned),
            condition: condition(target.if_absent, &target.if_match),
            ..NewObject::of_type(options.content_type(formats.1))
        };
        let reader = reach.open(source).await?;
        let writer = reach.create(&target.target, wanted).await?;
        let request = ConvertRequest { options: options.clone(), ..ConvertRequest::default() };
        convert_between(reader, source, writer, &target.target, formats, &request).await
    };
    let converted = tokio::select! {
        converted = converting => converted,
        _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
    };
    let mut results = Results::new(output);
    results.push(source, converted, |done: &Converted| {
        let records = human::count(done.records, "record");
        let words = format!(
            "{records}, {} bytes in, {} bytes out, sha256 {}",
            done.bytes_in, done.bytes_out, done.sha256
        );
        (true, words)
    })?;
    results.finish()
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
        ..ValidateOptions::default()
    };
    let mut results = Results::new(args.shown.output);
    for source in &args.sources {
        let validated = async {
            let format = format_of(source, args.format)?;
            validate_from(reach.open(source).await?, source, format, &options).await
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
            (seen.valid, std::iter::once(counts).chain(findings).collect::<Vec<_>>().join("\n"))
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
