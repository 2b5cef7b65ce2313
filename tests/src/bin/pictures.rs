//! Makes the README's pictures anew, in `docs/pictures`: `just pictures`. Look at them before you commit them.
//!
//! - `run.svg`: the recording of a terminal; each line appears when it did.
//! - `report.png`: the page of `report` about a simulated run.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use batchwright_tests::browser::Browser;
use batchwright_tests::crash::sources::root;
use serde_json::json;

/// What is typed in the recording.
const SESSION: [&str; 3] = [
    "batchwright run examples/pipeline.yaml --local",
    "batchwright explain broken --local",
    "batchwright report --local",
];

/// How long a person looks at an answer before typing on.
const PAUSE: Duration = Duration::from_millis(1_500);

const LINE_HEIGHT: u32 = 18;

fn main() -> anyhow::Result<()> {
    let browser = Browser::packaged()?.context("the pictures need npm, on Linux on x86-64")?;
    let program = std::env::current_exe()?.with_file_name("batchwright");
    ensure!(program.is_file(), "build the program first: cargo build --workspace");
    let folder = tempfile::tempdir()?;
    let pictures = root().join("docs/pictures");
    fs::create_dir_all(&pictures)?;

    fs::create_dir(folder.path().join("examples"))?;
    fs::copy(root().join("examples/pipeline.yaml"), folder.path().join("examples/pipeline.yaml"))?;
    fs::write(pictures.join("run.svg"), drawn(&recorded(&program, folder.path())?))?;

    let page = report(&program, folder.path())?;
    browser.drive("pictures.mjs", &pictures, &[&page])?;
    println!("look at {}", pictures.display());
    Ok(())
}

/// The lines of the session, and when each came.
fn recorded(program: &Path, folder: &Path) -> anyhow::Result<Vec<(Duration, String)>> {
    let mut lines = Vec::new();
    let mut typed = Duration::from_millis(500);
    for command in SESSION {
        lines.push((typed, format!("$ {command}")));
        let words = command.split(' ').skip(1);
        // A terminal shows a bar that moves while jobs run, and this instead of it nothing.
        let mut command = Command::new(program);
        command.args(words).current_dir(folder).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let started = Instant::now();
        let mut child = command.spawn()?;
        for line in BufReader::new(child.stdout.take().context("its output")?).lines() {
            lines.push((typed + started.elapsed(), line?));
        }
        child.wait()?;
        typed += started.elapsed() + PAUSE;
    }
    Ok(lines)
}

/// The lines as a picture that moves: those of the future are hidden until their moment.
fn drawn(lines: &[(Duration, String)]) -> String {
    let columns = lines.iter().map(|(_, line)| line.chars().count()).max().unwrap_or_default();
    let (width, height) = (columns as u32 * 8 + 32, lines.len() as u32 * LINE_HEIGHT + 52);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"a terminal in which jobs are run, explained and reported on\">\n\
         <style>text {{ font: 13px ui-monospace, Menlo, Consolas, monospace; fill: #d7dce2; white-space: pre; animation: come 1ms both; }}\n\
         .typed {{ fill: #7db2f0; font-weight: 600; }} @keyframes come {{ from {{ opacity: 0; }} }}\n\
         @media (prefers-reduced-motion: reduce) {{ text {{ animation: none; }} }}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#14171a\"/>\n\
         <g fill=\"#4d555e\"><circle cx=\"18\" cy=\"16\" r=\"5\"/><circle cx=\"34\" cy=\"16\" r=\"5\"/><circle cx=\"50\" cy=\"16\" r=\"5\"/></g>\n"
    );
    for ((at, line), number) in lines.iter().zip(0..) {
        let class = if line.starts_with("$ ") { " class=\"typed\"" } else { "" };
        let text = line.replace('&', "&amp;").replace('<', "&lt;");
        let y = 48 + number * LINE_HEIGHT;
        // Writing to a string can't fail.
        let _ = writeln!(
            svg,
            "<text x=\"16\" y=\"{y}\"{class} style=\"animation-delay:{}ms\" xml:space=\"preserve\">{text}</text>",
            at.as_millis()
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// The page about a simulated run of a thousand jobs; returns its path.
fn report(program: &Path, folder: &Path) -> anyhow::Result<String> {
    let job = |number: usize| {
        let queue = if number.is_multiple_of(3) { "on-demand" } else { "spot" };
        json!({"jobName": format!("tile-{number:04}"), "jobQueue": queue, "jobDefinition": "tile", "command": ["true"]})
    };
    let jobs: Vec<_> = (0..1_000).map(job).collect();
    fs::write(folder.join("tiles.json"), json!({"jobs": jobs}).to_string())?;
    for (arguments, codes) in [
        (
            &["run", "tiles.json", "--local", "--simulate", "7", "--vcpus", "64", "--state-dir", "tiles"][..],
            [0, 1],
        ),
        (&["report", "tiles.json", "--local", "--state-dir", "tiles", "--out", "report.html"], [0, 0]),
    ] {
        let output = Command::new(program).args(arguments).current_dir(folder).output()?;
        ensure!(output.status.code().is_some_and(|code| codes.contains(&code)), "{arguments:?}: {output:?}");
    }
    Ok(folder.join("report.html").to_string_lossy().into_owned())
}
