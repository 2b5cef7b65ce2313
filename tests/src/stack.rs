//! A stack as it is deployed: the templates, by the real deploy commands, and the real programs of the
//! functions, on an emulator.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;

use crate::emulators::REGION;
use crate::emulators::venv::Venv;

/// The `Name` of the stack.
pub const NAME: &str = "batchwright";

/// The account of the emulator.
pub const ACCOUNT: &str = "000000000000";

/// The functions.
pub const FUNCTIONS: [&str; 6] =
    ["submitter", "state-handler", "log-collector", "reconciler", "fan-out", "s3-serializer"];

/// The bucket of the stack.
pub fn bucket() -> String {
    format!("{NAME}-{ACCOUNT}-{REGION}")
}

/// What a deployment says of the templates' parameters, beside what it must: `Name=value`.
#[derive(Debug, Default)]
pub struct Overrides {
    /// Of `data.yaml`.
    pub data: Vec<String>,
    /// Of `app.yaml`.
    pub app: Vec<String>,
}

/// The tools that deploy.
#[derive(Debug)]
pub struct Tools {
    aws: Venv,
    sam: Venv,
}

impl Tools {
    /// `None` where this machine has no `python3`.
    pub fn install() -> anyhow::Result<Option<Tools>> {
        let (Some(aws), Some(sam)) = (Venv::of_group("aws-cli")?, Venv::of_group("sam")?) else {
            return Ok(None);
        };
        Ok(Some(Tools { aws, sam }))
    }

    /// Deploys both stacks as the README says, with the functions' programs as cargo has built them.
    pub fn deploy(
        &self,
        folder: &Path,
        endpoint_url: &str,
        batch_url: &str,
        overrides: &Overrides,
    ) -> anyhow::Result<()> {
        let infra = stage(folder)?;
        let data = infra.join("data.yaml");
        let mut command = self.command(&self.aws.program("aws"), folder, endpoint_url);
        command.args([
            "--endpoint-url",
            endpoint_url,
            "cloudformation",
            "deploy",
            "--stack-name",
            "batchwright-data",
        ]);
        command.arg("--template-file").arg(data).args(["--parameter-overrides", &format!("Name={NAME}")]);
        command.args(&overrides.data);
        run(command)?;

        // sam uploads the programs to a bucket of its own; `--resolve-s3` makes one by another stack.
        let mut command = self.command(&self.aws.program("aws"), folder, endpoint_url);
        command.args(["--endpoint-url", endpoint_url, "s3", "mb", "s3://deployments"]);
        run(command)?;

        let mut command = self.command(&self.sam.program("sam"), folder, endpoint_url);
        command.args(["deploy", "--stack-name", "batchwright-app", "--s3-bucket", "deployments"]);
        command.args(["--no-confirm-changeset", "--capabilities", "CAPABILITY_IAM"]);
        command.arg("--template-file").arg(infra.join("app.yaml")).arg("--parameter-overrides");
        command.args([format!("Name={NAME}"), format!("EndpointUrl={endpoint_url}")]);
        command.args([format!("BatchEndpointUrl={batch_url}"), "LogSettleSeconds=0".to_owned()]);
        // A log that came before its job's end was recorded is found by the reconciler so long after.
        command.arg("SilenceSeconds=60");
        // The one function besides that does no harm when it is called: the reconciler.
        command.arg(format!("FanOutTargets={NAME}-reconciler"));
        command.arg("Architecture=x86_64").args(&overrides.app);
        run(command)
    }

    /// The AWS CLI; returns what it prints.
    pub async fn aws(&self, folder: &Path, endpoint_url: &str, args: &[&str]) -> anyhow::Result<String> {
        let mut command = self.command(&self.aws.program("aws"), folder, endpoint_url);
        command.args(["--endpoint-url", endpoint_url, "--output", "json"]).args(args);
        let output = tokio::process::Command::from(command).output().await?;
        let err = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{args:?}: {}\n{err}", output.status);
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A command that knows this emulator alone.
    fn command(&self, program: &Path, folder: &Path, endpoint_url: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear();
        for kept in ["PATH", "HOME", "LANG"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command.env("AWS_CONFIG_FILE", folder.join("aws-config"));
        command.env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null").env("SAM_CLI_TELEMETRY", "0");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command
            .env("AWS_ENDPOINT_URL", endpoint_url)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_REGION", REGION);
        command
    }
}

/// A template without the alarms on expressions of several metrics: ministack refuses the whole stack for them.
fn without_metric_math(template: &str) -> String {
    let mut kept = String::with_capacity(template.len());
    let mut resource = String::new();
    let mut keep = |resource: &mut String| {
        if !resource.contains("\n      Metrics:\n") {
            kept.push_str(resource);
        }
        resource.clear();
    };
    for line in template.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if indent <= 2 && !line.trim().is_empty() {
            keep(&mut resource);
        }
        resource.push_str(line);
    }
    keep(&mut resource);
    kept
}

/// Lays the templates and the program out as `just deploy` finds them.
fn stage(folder: &Path) -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
    let infra = folder.join("infra");
    std::fs::create_dir_all(&infra)?;
    for template in ["data.yaml", "app.yaml"] {
        let text = std::fs::read_to_string(root.join("infra").join(template))?;
        std::fs::write(infra.join(template), without_metric_math(&text))?;
    }
    let program = built("bootstrap")?;
    let target = folder.join("target/lambda/bootstrap");
    std::fs::create_dir_all(&target)?;
    std::fs::copy(&program, target.join("bootstrap"))
        .with_context(|| format!("{} is missing: build the whole workspace", program.display()))?;
    // The clients leave the address of a bucket in its path only where they are told to.
    std::fs::write(folder.join("aws-config"), "[default]\ns3 =\n    addressing_style = path\n")?;
    Ok(infra)
}

/// A program of the workspace, beside the test that runs.
pub fn built(program: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.ancestors().nth(2).context("the folder of the build")?;
    Ok(folder.join(program))
}

fn run(mut command: Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    Ok(())
}

/// The adapters that look into a deployed stack.
pub fn store(config: &SdkConfig) -> batchwright::aws::dynamodb::DynamoDbJobStore {
    let tables =
        batchwright::aws::dynamodb::Tables { jobs: format!("{NAME}-jobs"), runs: format!("{NAME}-runs") };
    batchwright::aws::dynamodb::DynamoDbJobStore::new(aws_sdk_dynamodb::Client::new(config), tables)
}
