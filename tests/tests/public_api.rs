//! The library's public items, held against the list that is checked in: whoever changes one sees what a user sees.

use std::fs;

use anyhow::ensure;
use batchwright_tests::crash::sources::root;
use batchwright_tests::public_api::listing;

const LISTED: &str = "tests/data/public-api.txt";

#[test]
fn the_public_items_are_those_of_the_list() -> anyhow::Result<()> {
    let (now, file) = (listing()?, root().join(LISTED));
    if std::env::var_os("UPDATE_API").is_some() {
        fs::write(&file, &now)?;
    }
    let listed = fs::read_to_string(&file)?;
    let of = |text: &str, other: &str, sign: char| {
        let other: std::collections::BTreeSet<&str> = other.lines().collect();
        let only = text.lines().filter(|line| !other.contains(line));
        only.map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    let changes = of(&listed, &now, '-') + &of(&now, &listed, '+');
    ensure!(
        changes.is_empty(),
        "the public items are others than {LISTED} says. If that is meant: UPDATE_API=1 cargo test --workspace \
         --locked --test public_api, and a line in CHANGELOG.md.\n{changes}"
    );
    Ok(())
}

#[test]
fn what_is_async_in_the_client_is_done_blocking_too() -> anyhow::Result<()> {
    let listing = listing()?;
    let mut compared = 0;
    for class in ["Client", "Documents", "Functions", "files"] {
        let methods =
            listing.lines().filter_map(|line| line.strip_prefix(&format!("batchwright::{class}::")));
        for (method, signature) in methods.filter_map(|line| line.split_once(": ")) {
            if !["async fn", "impl Stream", "BoxFuture"].iter().any(|sign| signature.contains(sign)) {
                continue;
            }
            compared += 1;
            let twin = format!("batchwright::blocking::{class}::{method}: ");
            let has = listing.lines().any(|line| line.starts_with(&twin));
            ensure!(has, "{class}::{method} has no blocking form");
        }
    }
    ensure!(compared >= 35, "only {compared} async methods are listed");
    Ok(())
}

#[test]
fn what_users_reach_is_listed_and_what_tests_reach_is_not() -> anyhow::Result<()> {
    let listing = listing()?;
    let has = |line: &str| listing.lines().any(|listed| listed.starts_with(line));
    for line in [
        "batchwright::Client::submit: async fn submit",
        "batchwright::Client: #[derive(Clone)] struct with private fields",
        "batchwright::JobName: ",
        "batchwright::domain::JobName: ",
        "batchwright::JobStatus::Failed: variant",
        "batchwright::memory::InMemoryJobStore: impl ClaimStore",
        "batchwright::ports::JobEngine::submit_job: ",
        "batchwright::engine::Capacity",
        "batchwright::use_cases::submit::submit: ",
    ] {
        ensure!(has(line), "{line} is not listed");
    }
    for line in [
        "batchwright::engine::FaultyEngine",
        "batchwright::engine::SimulatedRunner",
        "batchwright::engine::LocalEngine",
        "batchwright::memory::InMemoryFunctions",
    ] {
        ensure!(!has(line), "{line} is listed");
    }
    Ok(())
}

#[test]
fn examples_of_the_library_name_the_crate_that_a_user_has() -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    let mut open = vec![root().join("shared")];
    let mut shown = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                open.push(entry?.path());
            }
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        for line in fs::read_to_string(&path)?.lines().map(str::trim) {
            let Some(line) = line.strip_prefix("/// ").or_else(|| line.strip_prefix("//! ")) else {
                continue;
            };
            // A line after `# ` is compiled and not shown.
            shown += usize::from(line.starts_with("use batchwright::"));
            if line.starts_with("use batchwright_") {
                wrong.push(format!("{}: {line}", path.display()));
            }
        }
    }
    ensure!(wrong.is_empty(), "the crates behind the facade are no user's: {wrong:#?}");
    ensure!(shown >= 15, "only {shown} examples were found");
    Ok(())
}
