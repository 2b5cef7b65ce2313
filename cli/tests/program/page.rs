//! The report as a browser shows it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::Folder;

/// Jobs whose logs and reasons hold what a page might take for its own.
const JOBS: &str = r#"
defaults: {jobQueue: q, jobDefinition: d}
jobs:
  - {jobName: good, command: ["true"]}
  - {jobName: harmful, command: ["sh", "-c", "echo '</script><script>document.title=1</script><img src=x onerror=document.title=2>'; exit 3"]}
  - {jobName: tiles, arrayProperties: {size: 3}, command: ["sh", "-c", "exit $AWS_BATCH_JOB_ARRAY_INDEX"]}
"#;

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name))).find(|file| file.is_file())
}

/// The page after its scripts have run, and what the browser's console said.
fn shown(browser: &Path, folder: &Folder, page: &str) -> (String, String) {
    let url = format!("file://{}", folder.path(page).display());
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1400,1000",
            "--virtual-time-budget=3000",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", folder.path("profile").display()))
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let console = said.lines().filter(|line| line.contains("CONSOLE")).collect::<Vec<_>>().join("\n");
    (String::from_utf8_lossy(&output.stdout).into_owned(), console)
}

#[test]
fn a_browser_shows_every_job_filters_and_obeys_nobody_elses_text() {
    let Some(browser) = browser() else {
        eprintln!("skipped: there is no Chromium on the PATH");
        return;
    };
    let folder = Folder::new();
    folder.write("jobs.yaml", JOBS);
    folder.run(&["run", "jobs.yaml", "--local"]);
    let written = folder.run(&["report", "--local"]);
    assert_eq!(written.stdout, "report.html: 3 jobs\n", "{written:?}");

    let (page, console) = shown(&browser, &folder, "report.html");
    assert_eq!(console, "", "the console is silent");
    assert!(page.contains("<title>all jobs – batchwright</title>"), "no script of a log has run");
    assert_eq!(page.matches("class=\"row\"").count(), 3, "{page}");
    assert!(page.contains("2 of 3 children FAILED: 1 (exit code 1), 2 (exit code 2)"), "{page}");

    let (page, _) = shown(&browser, &folder, "report.html#exit_code");
    assert_eq!(page.matches("class=\"row\"").count(), 1, "{page}");
    assert!(page.contains("1 of 3 jobs"), "{page}");
}
