//! A profile that somebody named: its credentials, and nobody else's.

use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::{self, Profile, ProfileFileCredentialsProvider};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::os_shim_internal::{Env, Fs};

/// What makes a profile one of credentials. Source:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>.
const OF_CREDENTIALS: &[&str] = &[
    "aws_access_key_id",
    "aws_secret_access_key",
    "credential_process",
    "credential_source",
    "login_session",
    "role_arn",
    "source_profile",
    "sso_account_id",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];

/// The credentials of a profile that was named. The SDK's own chain looks into the environment first, whichever profile it is
/// told; the AWS CLI leaves the environment out where a profile is named, or else a forgotten AWS_ACCESS_KEY_ID
/// decides in which account a command works.
///
/// A profile that holds no credentials, but a Region, takes those of the container or the instance, as with the AWS CLI.
pub(super) async fn credentials(name: &str, found: &SdkConfig) -> SharedCredentialsProvider {
    let holds_credentials = match looked_up(name).await {
        Found::Nothing(refusing) => return refusing,
        Found::Profile { holds_credentials } => holds_credentials,
    };
    let mut settings = ProviderConfig::without_region()
        .with_region(found.region().cloned())
        .with_use_fips(found.use_fips())
        .with_use_dual_stack(found.use_dual_stack())
        .with_behavior_version(found.behavior_version());
    if let Some(http_client) = found.http_client() {
        settings = settings.with_http_client(http_client);
    }
    let of_profile =
        ProfileFileCredentialsProvider::builder().configure(&settings).profile_name(name).build();
    if holds_credentials {
        return SharedCredentialsProvider::new(of_profile);
    }
    let chain = CredentialsProviderChain::first_try("Profile", of_profile)
        .or_else("EcsContainer", EcsCredentialsProvider::builder().configure(&settings).build())
        .or_else("Ec2InstanceMetadata", ImdsCredentialsProvider::builder().configure(&settings).build());
    SharedCredentialsProvider::new(chain)
}

/// Refuses every call where a profile is not there; `None` where it is, with or without credentials.
#[cfg(feature = "s3")]
pub(super) async fn refusing(name: &str) -> Option<SharedCredentialsProvider> {
    match looked_up(name).await {
        Found::Nothing(refusing) => Some(refusing),
        Found::Profile { .. } => None,
    }
}

enum Found {
    Nothing(SharedCredentialsProvider),
    Profile { holds_credentials: bool },
}

async fn looked_up(name: &str) -> Found {
    let (files, environment) = (Fs::real(), Env::real());
    let set = profile::load(&files, &environment, &Default::default(), Some(name.to_owned().into())).await;
    match set.as_ref().map(|set| set.get_profile(name)) {
        Ok(None) => {
            let unknown = Unknown(UnknownProfile::of(name, &environment));
            Found::Nothing(SharedCredentialsProvider::new(unknown))
        }
        Ok(Some(profile)) => Found::Profile { holds_credentials: holds_credentials(profile) },
        // The provider reads the files again, and tells what is wrong with them.
        Err(_) => Found::Profile { holds_credentials: true },
    }
}

fn holds_credentials(profile: &Profile) -> bool {
    OF_CREDENTIALS.iter().any(|key| profile.get(key).is_some())
}

/// Refuses every call: an SDK's configuration that can't be made is told by the first thing that asks for credentials.
#[derive(Debug)]
struct Unknown(UnknownProfile);

impl ProvideCredentials for Unknown {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::invalid_configuration(self.0.clone())))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the profile {name} is neither in {config} nor in {credentials}; name one of `aws configure list-profiles`, or make it by `aws configure --profile {name}`"
)]
struct UnknownProfile {
    name: String,
    config: String,
    credentials: String,
}

impl UnknownProfile {
    fn of(name: &str, environment: &Env) -> Self {
        let file = |variable, usual: &str| environment.get(variable).unwrap_or_else(|_| usual.to_owned());
        Self {
            name: name.to_owned(),
            config: file("AWS_CONFIG_FILE", "~/.aws/config"),
            credentials: file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn profile(lines: &str) -> bool {
        let files = Fs::from_slice(&[("config", &format!("[profile x]\n{lines}\n"))]);
        let environment = Env::from_slice(&[("AWS_CONFIG_FILE", "config")]);
        let set = profile::load(&files, &environment, &Default::default(), Some("x".into())).await.unwrap();
        holds_credentials(set.get_profile("x").unwrap())
    }

    #[tokio::test]
    async fn a_profile_with_a_region_alone_takes_the_instances_credentials_and_no_other_does() {
        for (lines, holds) in [
            ("region = eu-west-1", false),
            ("endpoint_url = http://localhost", false),
            ("aws_access_key_id = k\naws_secret_access_key = s", true),
            ("role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = gone", true),
            ("role_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Environment", true),
            ("sso_session = work\nsso_account_id = 123456789012\nsso_role_name = reader", true),
            ("credential_process = /bin/true", true),
            ("web_identity_token_file = token", true),
        ] {
            assert_eq!(profile(lines).await, holds, "{lines}");
        }
    }

    #[test]
    fn a_profile_that_is_not_there_is_named_with_the_files_and_a_remedy() {
        for (variables, files) in [
            (&[][..], "neither in ~/.aws/config nor in ~/.aws/credentials"),
            (&[("AWS_CONFIG_FILE", "/a"), ("AWS_SHARED_CREDENTIALS_FILE", "/b")], "neither in /a nor in /b"),
        ] {
            let error = UnknownProfile::of("nosuch", &Env::from_slice(variables)).to_string();
            assert!(error.starts_with("the profile nosuch is"), "{error}");
            assert!(error.contains(files), "{error}");
            assert!(error.contains("aws configure list-profiles"), "{error}");
        }
    }
}
