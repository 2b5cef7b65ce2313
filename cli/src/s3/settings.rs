//! Options for how an object is kept, by the names that the AWS CLI has for them.

use batchwright::domain::ObjectSettings;
use batchwright::objects;
use clap::Args;

/// How the object that is written is kept.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Object settings")]
pub(crate) struct SettingsArgs {
    /// A canned ACL, as in bucket-owner-full-control
    #[arg(long)]
    acl: Option<String>,
    /// The header Cache-Control
    #[arg(long, value_name = "TEXT")]
    cache_control: Option<String>,
    /// The header Content-Disposition
    #[arg(long, value_name = "TEXT")]
    content_disposition: Option<String>,
    /// The header Content-Language
    #[arg(long, value_name = "TEXT")]
    content_language: Option<String>,
    /// User metadata; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    metadata: Vec<String>,
    /// A tag; may be given several times
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<String>,
    /// A storage class, as in STANDARD_IA
    #[arg(long, value_name = "CLASS")]
    storage_class: Option<String>,
    /// Server-side encryption: AES256, aws:kms or aws:kms:dsse
    #[arg(long, value_name = "ENCRYPTION", num_args = 0..=1, default_missing_value = "AES256")]
    sse: Option<String>,
    /// The KMS key: an id, an ARN or an alias
    #[arg(long, value_name = "KEY", requires = "sse")]
    sse_kms_key_id: Option<String>,
    /// The checksum that S3 keeps with the object, as in SHA256
    #[arg(long, value_name = "ALGORITHM")]
    checksum_algorithm: Option<String>,
}

impl SettingsArgs {
    /// Errs for what S3 would refuse.
    pub(crate) fn settings(&self) -> Result<ObjectSettings, objects::Failure> {
        let mut settings = ObjectSettings::default();
        settings.acl = self.acl.clone();
        settings.cache_control = self.cache_control.clone();
        settings.content_disposition = self.content_disposition.clone();
        settings.content_language = self.content_language.clone();
        settings.metadata = pairs("--metadata", &self.metadata)?;
        settings.tags = pairs("--tag", &self.tags)?;
        settings.storage_class = self.storage_class.clone();
        settings.server_side_encryption = self.sse.clone();
        settings.kms_key_id = self.sse_kms_key_id.clone();
        settings.checksum_algorithm = self.checksum_algorithm.clone();
        settings.check().map_err(objects::Failure::invalid_request)?;
        Ok(settings)
    }
}

fn pairs<M: FromIterator<(String, String)>>(option: &str, texts: &[String]) -> Result<M, objects::Failure> {
    let pairs = texts.iter().map(|text| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            objects::Failure::invalid_request(format!(
                "{option} {text:?} has no value; write it as name=value"
            ))
        })?;
        Ok((name.to_owned(), value.to_owned()))
    });
    pairs.collect()
}
