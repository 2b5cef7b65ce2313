//! Emulators of AWS's services, for the suites under `tests/`.
//!
//! Each listens on a loopback port that the system gave, holds its data in a folder of its own, and ends
//! with the test program, however that ends. Python packages are installed once into `.venv`, one
//! environment a group, so that a suite installs no more than it needs. Where there is no `python3`, an
//! emulator is `None`, and says so on standard error: the test that asked is skipped.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `venv` | one Python environment for each of `requirements/*.txt` |
//! | `process` | a server under `supervise.py`: its port, its log, its end |
//! | `dynamodb` | the tables of the DynamoDB adapter |
//! | `dynoxide` | DynamoDB, built once into `.tools` |
//! | `ministack` | DynamoDB, S3, SQS, EventBridge, Logs, Lambda, CloudFormation |
//! | `moto` | Batch, S3, Logs |
//! | `redis` | Redis itself, of Debian's package |

pub mod dynamodb;
pub mod dynoxide;
pub mod ministack;
pub mod moto;
pub mod process;
pub mod redis;
pub mod venv;

use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use batchwright::aws::{Connection, connect};

/// The region that every emulator is told.
pub const REGION: &str = "eu-west-1";

/// A configuration that reaches an emulator and nothing else. Refuses an endpoint beyond this machine.
pub async fn sdk_config(endpoint_url: &str) -> anyhow::Result<SdkConfig> {
    let authority = endpoint_url.strip_prefix("http://").unwrap_or_default();
    let address: Option<std::net::SocketAddr> = authority.parse().ok();
    anyhow::ensure!(
        address.is_some_and(|address| address.ip().is_loopback()),
        "{endpoint_url:?} is no loopback endpoint; an emulator's is http://127.0.0.1:<port>"
    );
    let connection = Connection {
        region: Some(REGION.to_owned()),
        endpoint_url: Some(endpoint_url.to_owned()),
        ..Connection::default()
    };
    let credentials = Credentials::new("test", "test", None, None, "emulator");
    let config = connect(&connection).await.into_builder();
    Ok(config
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build())
}
