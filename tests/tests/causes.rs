//! The public texts of AWS and Kubernetes, each with the cause that it tells, and the page that explains the causes.

use std::path::Path;

use anyhow::{Context as _, ensure};
use batchwright::domain::{Cause, JobId, JobName, JobState, JobStatus};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fixture {
    status_reason: String,
    reason: Option<String>,
    exit_code: Option<i32>,
    #[serde(default)]
    is_cancelled: bool,
    #[serde(default)]
    is_terminated: bool,
    cause: Cause,
    source: String,
}

fn fixtures() -> anyhow::Result<Vec<Fixture>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/causes.json");
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn cause_of(fixture: &Fixture) -> anyhow::Result<Option<Cause>> {
    let id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8")?;
    let mut state = JobState::submitted(JobName::parse("job")?, id, None);
    state.status = JobStatus::Failed;
    state.status_reason = Some(fixture.status_reason.clone());
    state.reason.clone_from(&fixture.reason);
    state.exit_code = fixture.exit_code;
    state.is_cancelled = fixture.is_cancelled;
    state.is_terminated = fixture.is_terminated;
    Ok(state.cause())
}

#[test]
fn every_public_text_tells_its_cause() -> anyhow::Result<()> {
    for fixture in fixtures()? {
        ensure!(
            cause_of(&fixture)? == Some(fixture.cause),
            "{fixture:?} is told as {:?}",
            cause_of(&fixture)?
        );
        ensure!(fixture.source.starts_with("https://"), "{fixture:?} has no source");
    }
    Ok(())
}

#[test]
fn every_cause_has_a_text_and_a_place_on_the_page() -> anyhow::Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/causes.md");
    let page = std::fs::read_to_string(&page).with_context(|| page.display().to_string())?;
    let fixtures = fixtures()?;
    for cause in Cause::ALL {
        // Nobody but batchwright writes that a job is lost.
        let is_told = cause == Cause::Lost || fixtures.iter().any(|fixture| fixture.cause == cause);
        ensure!(is_told, "no public text tells {cause}");
        ensure!(page.contains(&format!("\n| `{cause}` |")), "docs/causes.md has no row for {cause}");
        ensure!(page.contains(&format!("\n## `{cause}`\n")), "docs/causes.md has no section on {cause}");
        let is_retried = cause.not_retried_on().is_none();
        let row = page.lines().find(|line| line.starts_with(&format!("| `{cause}` |"))).unwrap_or_default();
        ensure!(row.contains("`retryOn`") == is_retried, "docs/causes.md on retrying {cause}: {row}");
    }
    Ok(())
}
