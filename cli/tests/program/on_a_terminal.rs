//! What a person sees and types: the program on a pseudo-terminal, which `script` of util-linux provides.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::{Ended, Folder};

const CTRL_C: &[u8] = b"\x03";

/// Jobs that write a line when they start, and end when the file `go` is there.
const WAITING: &str = r#"
defaults:
  jobQueue: q
  jobDefinition: d
  command: ["sh", "-c", "echo $AWS_BATCH_JOB_ID >> started; until test -e go; do sleep 0.05; done"]
jobs:
  - {jobName: tile-1}
  - {jobName: tile-2}
  - {jobName: tile-3}
"#;

const RUN: &[&str] = &["run", "jobs.yaml", "--local", "--vcpus", "2", "--workdir", "."];

/// The program on a terminal of its own.
struct Terminal {
    script: Child,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    /// Where there is no `script`, the test has shown nothing, and says so.
    fn is_here() -> bool {
        let is_here = Command::new("script").arg("--version").output().is_ok();
        if !is_here {
            eprintln!("NOT TESTED: there is no `script` here (Debian's package bsdutils)");
        }
        is_here
    }

    fn start(folder: &Folder, variables: &[(&str, &str)], args: &[&str]) -> Terminal {
        let program = folder.command(args);
        let words = std::iter::once(program.get_program()).chain(program.get_args());
        let line: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
        let mut script = Command::new("script");
        // `exec`, because a shell that waited would get the Ctrl-C too, and end by it after the program.
        let line = format!("exec {}", line.join(" "));
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        script.env("TERM", "xterm").env_remove("NO_COLOR").envs(variables.iter().copied());
        script.current_dir(folder.path(".")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut terminal = Terminal { script: script.spawn().unwrap(), shown: Arc::default() };
        let mut stdout = terminal.script.stdout.take().unwrap();
        let seen = Arc::clone(&terminal.shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            // A terminal whose last process has ended can't be read, which is its end.
            while let Ok(count @ 1..) = stdout.read(&mut bytes) {
                seen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        terminal
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    fn shows(&self, folder: &Folder, what: &str) {
        folder.wait_until(&format!("{what:?} is shown"), |_| self.shown().contains(what));
    }

    fn press(&mut self, keys: &[u8]) {
        let stdin = self.script.stdin.as_mut().unwrap();
        stdin.write_all(keys).unwrap();
        stdin.flush().unwrap();
    }

    fn ended(mut self) -> Option<i32> {
        // Held open: its end would be typed as the end of input.
        let _stdin = self.script.stdin.take();
        Ended::of(self.script).code
    }
}

#[test]
fn a_first_ctrl_c_detaches_with_an_offer_and_a_second_terminates_the_jobs() {
    if !Terminal::is_here() {
        return;
    }
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let mut terminal = Terminal::start(&folder, &[], RUN);
    folder.wait_until("two jobs run", |folder| folder.lines("started") == 2);
    terminal.press(CTRL_C);
    terminal.shows(&folder, "press Ctrl-C again within 3 s to terminate the run's jobs");
    terminal.press(CTRL_C);
    terminal.shows(&folder, "cancelling the run run-");
    assert_eq!(terminal.ended(), Some(1));
    let causes = ["tile-1", "tile-2", "tile-3"].map(|name| folder.job(name)["cause"].clone());
    assert_eq!(causes, ["TERMINATED"; 3]);
    assert_eq!(folder.lines("started"), 2);
}

#[test]
fn a_run_is_watched_from_another_terminal_and_goes_on_when_that_is_left() {
    if !Terminal::is_here() {
        return;
    }
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let running = folder.start(RUN);
    folder.wait_until("two jobs run", |folder| folder.lines("started") == 2);
    let mut terminal = Terminal::start(&folder, &[], &["watch", "jobs.yaml", "--local"]);
    terminal.shows(&folder, "2 RUNNING");
    // The lines are drawn anew, where they stand.
    terminal.shows(&folder, "\u{1b}[");
    terminal.press(CTRL_C);
    terminal.shows(&folder, "interrupted: what was watched goes on");
    assert_eq!(terminal.ended(), Some(130));
    folder.write("go", "");
    let ended = Ended::of(running);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let terminal = Terminal::start(&folder, &[], &["watch", "jobs.yaml", "--local"]);
    terminal.shows(&folder, "3 SUCCEEDED");
    assert_eq!(terminal.ended(), Some(0));
}

#[test]
fn a_run_shows_what_watch_shows() {
    if !Terminal::is_here() {
        return;
    }
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING.replace("tile-3}", "tile-3, command: [\"false\"]}"));
    let terminal =
        Terminal::start(&folder, &[], &["run", "jobs.yaml", "--local", "--vcpus", "3", "--workdir", "."]);
    folder.wait_until("two jobs run", |folder| folder.lines("started") == 2);
    let watching = Terminal::start(&folder, &[], &["watch", "jobs.yaml", "--local"]);
    for shown in ["3 jobs: 2 RUNNING, 1 FAILED", "ends a minute, about", "ago: tile-3 EXIT_CODE"] {
        terminal.shows(&folder, shown);
        watching.shows(&folder, shown);
    }
    folder.write("go", "");
    assert_eq!(terminal.ended(), Some(1));
    assert_eq!(watching.ended(), Some(1));
}

#[test]
fn colours_are_for_terminals_and_not_where_nobody_wants_them() {
    if !Terminal::is_here() {
        return;
    }
    let folder = Folder::new();
    for (variables, colours) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let terminal = Terminal::start(&folder, variables, &["run", "--help"]);
        terminal.shows(&folder, "--state-dir");
        terminal.shows(&folder, "--help");
        assert_eq!(terminal.shown().contains("\u{1b}["), colours, "{variables:?}");
        assert_eq!(terminal.ended(), Some(0));
    }
    assert!(!folder.run(&["run", "--help"]).stdout.contains('\u{1b}'));
}
