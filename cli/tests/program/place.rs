//! Where commands look: what the command line says, and what the environment does.

use std::process::Command;

use crate::support::{Ended, Folder};

/// The program with a stack in its environment, and AWS where nobody answers.
fn with_stack(folder: &Folder, args: &[&str]) -> Command {
    let mut command = folder.command(args);
    command.env("BATCHWRIGHT_STACK", "nightly").env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    command.env("AWS_REGION", "eu-west-1").env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}

fn ran(mut command: Command) -> Ended {
    Ended::from(command.output().unwrap())
}

#[test]
fn the_environment_names_a_stack_and_the_command_line_another_place() {
    let folder = Folder::new();
    folder
        .write("job.json", r#"{"jobName": "a", "jobQueue": "q", "jobDefinition": "d", "command": ["true"]}"#);
    let local = ran(with_stack(&folder, &["run", "job.json", "--local"]));
    assert_eq!(local.code, Some(0), "{local:?}");
    for (args, name) in [
        (&["runs"][..], "nightly"),
        (&["submit", "job.json"], "nightly"),
        (&["runs", "--stack", "other", "--region", "eu-west-1"], "other"),
    ] {
        let ended = ran(with_stack(&folder, args));
        assert_eq!(ended.code, Some(4), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(&format!("no stack {name} was found")), "{args:?}: {ended:?}");
    }
}

#[test]
fn a_command_that_is_told_no_place_says_how_to_name_one() {
    let folder = Folder::new();
    for (args, why) in [
        (&["runs"][..], "give --stack NAME, or set BATCHWRIGHT_STACK; on this machine jobs run by --local"),
        (&["runs", "--local", "--region", "eu-west-1"], "give --stack in place of --local"),
        (&["runs", "--local", "--stack", "a"], "cannot be used with"),
        (&["serve", "--stack", "a"], "serve runs jobs on this machine: give --local"),
    ] {
        let mut command = folder.command(args);
        let ended = ran({
            command.env_remove("BATCHWRIGHT_STACK");
            command
        });
        assert_eq!(ended.code, Some(2), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(why), "{args:?}: {ended:?}");
    }
}
