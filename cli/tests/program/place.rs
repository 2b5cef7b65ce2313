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
        assert!(
            ended.stderr.contains(&format!("the stack {name} can't be looked at")),
            "{args:?}: {ended:?}"
        );
    }
}

#[test]
fn a_command_that_is_told_no_place_says_how_to_name_one() {
    let folder = Folder::new();
    for (args, why) in [
        (&["runs"][..], "give --stack NAME, or set BATCHWRIGHT_STACK; on this machine jobs run by --local"),
        (&["runs", "--local", "--region", "eu-west-1"], "give --stack in place of --local"),
        (&["runs", "--local", "--stack", "a"], "cannot be used with"),
        (&["runs", "--stack", "nightly", "--state-dir", "x"], "--state-dir is for this machine"),
        (&["runs", "--stack", ""], "\"\" can't be the Name of a stack"),
        (&["runs", "--stack", "a/../b c"], "can't be the Name of a stack, which has 2 to 24 lower-case"),
        (&["serve", "--stack", "nightly"], "serve runs jobs on this machine: give --local"),
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

#[test]
fn the_configuration_names_stacks_and_their_places() {
    let folder = Folder::new();
    folder.write(
        "config.yaml",
        "stack: prod\nstacks:\n  prod: {name: batchwright, region: eu-west-1, endpointUrl: 'http://127.0.0.1:9'}\n",
    );
    let with = |file: &str, args: &[&str]| {
        let mut command = with_stack(&folder, args);
        for name in ["BATCHWRIGHT_STACK", "AWS_ENDPOINT_URL", "AWS_REGION"] {
            command.env_remove(name);
        }
        ran({
            command.env("BATCHWRIGHT_CONFIG", folder.path(file));
            command
        })
    };
    for args in [&["runs"][..], &["runs", "--stack", "prod"]] {
        let ended = with("config.yaml", args);
        assert_eq!(ended.code, Some(4), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains("the stack batchwright can't be looked at"), "{args:?}: {ended:?}");
    }
    let other = with(
        "config.yaml",
        &["runs", "--stack", "other", "--region", "a", "--endpoint-url", "http://127.0.0.1:9"],
    );
    assert!(other.stderr.contains("the stack other can't be looked at"), "{other:?}");
    let missing = with("nowhere.yaml", &["runs"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.stderr.contains("nowhere.yaml"), "a file that is named has to be there: {missing:?}");
    let local = with("nowhere.yaml", &["runs", "--local"]);
    assert!(!local.stderr.contains("nowhere.yaml"), "what is local asks for no stack: {local:?}");
}

#[test]
fn profiles_of_single_sign_on_and_of_other_programs_are_understood() {
    let folder = Folder::new();
    let profiles = "[profile signed-on]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = reader\nregion = eu-west-1\n\
        [sso-session work]\nsso_start_url = https://example.com/start\nsso_region = eu-west-1\n\
        [profile other]\nregion = eu-west-1\ncredential_process = sh -c 'echo asked >> asked; exit 1'\n";
    folder.write("aws", profiles);
    for (profile, says) in [("signed-on", "aws sso login"), ("other", "AWS can't be asked")] {
        let mut command = folder.command(&[
            "runs",
            "--stack",
            "other",
            "--profile",
            profile,
            "--endpoint-url",
            "http://127.0.0.1:9",
        ]);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"] {
            command.env_remove(name);
        }
        command.env("AWS_CONFIG_FILE", folder.path("aws")).env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command.env("HOME", folder.path(".")).env("AWS_EC2_METADATA_DISABLED", "true");
        let ended = ran(command);
        assert_eq!(ended.code, Some(4), "{profile}: {ended:?}");
        assert!(ended.stderr.contains(says), "{profile}: {ended:?}");
        assert!(!ended.stderr.contains("feature"), "it was compiled in: {ended:?}");
    }
    assert_eq!(folder.lines("asked"), 1, "the program of the profile was asked for credentials");
}

/// The program with credentials in the environment, and a file of profiles whose program leaves a line where it was asked.
fn with_keys_and_profiles(folder: &Folder, args: &[&str]) -> Command {
    folder.write(
        "aws",
        "[profile other]\nregion = eu-west-1\ncredential_process = sh -c 'echo asked >> asked; exit 1'\n",
    );
    let mut command = folder.command(args);
    command.env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s").env("AWS_REGION", "eu-west-1");
    command.env("AWS_CONFIG_FILE", folder.path("aws")).env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("HOME", folder.path(".")).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    command
}

#[test]
fn a_profile_that_is_named_goes_before_the_keys_of_the_environment() {
    for (args, variable, asked, code) in [
        (&["runs", "--stack", "other", "--profile", "other"][..], None, 1, 4),
        (&["s3", "load", "s3://bucket/a.json", "--profile", "other"], None, 1, 1),
        // As in the AWS CLI, the keys of the environment go before AWS_PROFILE.
        (&["runs", "--stack", "other"], Some("other"), 0, 4),
    ] {
        let folder = Folder::new();
        let mut command = with_keys_and_profiles(&folder, args);
        command.env_remove("AWS_PROFILE");
        if let Some(name) = variable {
            command.env("AWS_PROFILE", name);
        }
        let ended = ran(command);
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        let lines = std::fs::read_to_string(folder.path("asked")).map_or(0, |text| text.lines().count());
        assert_eq!(lines, asked, "{args:?}: {ended:?}");
    }
}

#[test]
fn a_profile_that_is_not_there_is_refused_whatever_the_environment_holds() {
    let folder = Folder::new();
    for (args, code) in [
        (&["runs", "--stack", "other", "--profile", "nosuch"][..], 4),
        (&["s3", "load", "s3://bucket/a.json", "--profile", "nosuch"], 1),
        (&["s3", "load", "s3://bucket/a.json", "--profile", "nosuch", "--no-sign-request"], 1),
    ] {
        let mut command = with_keys_and_profiles(&folder, args);
        command.env_remove("AWS_REGION");
        let ended = ran(command);
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains("the profile nosuch is neither in"), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(&*folder.path("aws").to_string_lossy()), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains("aws configure"), "{args:?}: {ended:?}");
    }
}

#[test]
fn missing_credentials_are_told_in_one_line_with_a_remedy() {
    let folder = Folder::new();
    for args in [&["s3", "load", "s3://bucket/a.json"][..], &["invoke", "f", "--payload", "1"]] {
        let mut command = with_keys_and_profiles(&folder, args);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"] {
            command.env_remove(name);
        }
        let ended = ran(command);
        let told = format!("{}{}", ended.stderr, ended.stdout);
        assert!(told.contains("no AWS credentials were found"), "{args:?}: {told}");
        assert!(told.contains("--profile, AWS_PROFILE"), "{args:?}: {told}");
        assert!(!told.contains("DispatchFailure"), "no dump: {told}");
    }
}
