//! How many instructions the paths take that every job takes, held against `tests/data/instructions.json`.
//!
//! They are those of a build for tests, without optimisation: what is counted is the work that the code asks for, and a step
//! too many shows. Valgrind counts; the start is in neither figure, because a few rounds are subtracted from many. Counts
//! differ a little between machines, whose C libraries choose other routines, and the toolchain is pinned, so a growth of
//! up to 5 % passes.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, ensure};
use batchwright_tests::crash::sources::root;

const PATHS: [&str; 7] =
    ["line", "sqlite-record", "sqlite-event", "sqlite-page", "dynamodb-record", "dynamodb-event", "feature"];

const COUNTED: &str = "tests/data/instructions.json";

/// Rounds of the two counts of which the difference is taken.
const ROUNDS: [u64; 2] = [5, 25];

/// Growth that passes, in per cent.
const GROWTH_MAX: u64 = 5;

#[test]
fn no_path_takes_more_instructions_than_are_written_down() -> anyhow::Result<()> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!(
            "NOT TESTED: counts of instructions, because there is no valgrind; .ci/valgrind installs it"
        );
        return Ok(());
    }
    if std::env::var_os("LLVM_PROFILE_FILE").is_some() {
        eprintln!("NOT TESTED: counts of instructions, because this build counts its coverage, too");
        return Ok(());
    }
    let now: BTreeMap<String, u64> = std::thread::scope(|scope| {
        let counting = PATHS.map(|path| scope.spawn(move || a_round(path)));
        let found = counting.into_iter().zip(PATHS).map(|(counting, path)| {
            let count = counting.join().map_err(|_| anyhow::anyhow!("{path}: its thread has panicked"))??;
            Ok((path.to_owned(), count))
        });
        found.collect::<anyhow::Result<_>>()
    })?;
    let file = root().join(COUNTED);
    if std::env::var_os("UPDATE_COUNTS").is_some() {
        std::fs::write(&file, serde_json::to_string_pretty(&now)? + "\n")?;
    }
    let known: BTreeMap<String, u64> = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
    for (path, count) in &now {
        println!("{path:<18} {count:>10} instructions");
    }
    let grown = grown(&known, &now);
    ensure!(
        grown.is_empty(),
        "{grown:#?} If that is meant: UPDATE_COUNTS=1 cargo test --workspace --locked --test instructions"
    );
    Ok(())
}

/// What takes more than is written down, with both figures.
fn grown(known: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> Vec<String> {
    let grown = |(path, &count): (&String, &u64)| match known.get(path) {
        None => Some(format!("{path}: nothing is written down, and it takes {count}")),
        Some(&before) if count * 100 > before * (100 + GROWTH_MAX) => {
            Some(format!("{path}: {before} are written down, and it takes {count}"))
        }
        Some(_) => None,
    };
    now.iter().filter_map(grown).collect()
}

#[test]
fn what_has_grown_is_told_with_both_figures() {
    let counts = |[a, b]: [u64; 2]| BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]);
    assert_eq!(grown(&counts([100, 100]), &counts([105, 50])), [""; 0]);
    assert_eq!(
        grown(&counts([100, 100]), &counts([100, 106])),
        ["b: 100 are written down, and it takes 106"]
    );
    assert_eq!(grown(&BTreeMap::new(), &counts([1, 1])).len(), 2);
}

fn a_round(path: &str) -> anyhow::Result<u64> {
    let [few, many] = ROUNDS.map(|rounds| counted(path, rounds));
    Ok(many?.saturating_sub(few?) / (ROUNDS[1] - ROUNDS[0]))
}

fn counted(path: &str, rounds: u64) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", env!("CARGO_BIN_EXE_hot-paths")])
        .args([path, &rounds.to_string()])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        // One routine of the C library on every processor.
        .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX512F,-ERMS")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{path}: {said}");
    let line = said.lines().find_map(|line| line.split_once("Collected : ")).context("no count was told")?;
    Ok(line.1.trim().parse()?)
}
