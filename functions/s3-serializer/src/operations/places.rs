//! URIs, formats and targets of a call.

use batchwright::domain::{ObjectSettings, S3Prefix, S3Uri};
use batchwright::function::FunctionError;
use batchwright::objects::{Failure, Target};
use batchwright::ports::WriteCondition;
use batchwright::serial::{Format, UnknownFormat};

use crate::config::Config;

/// The format that a call names, for all of its objects.
pub(super) fn format(name: Option<String>) -> Result<Option<Format>, FunctionError> {
    let parsed = name.map(|name| name.parse()).transpose();
    parsed.map_err(|unknown: UnknownFormat| FunctionError::Refused(unknown.to_string()))
}

/// How a call has its objects kept. Errs for what S3 would refuse.
pub(super) fn settings(
    settings: ObjectSettings,
    owner_full_control: bool,
) -> Result<ObjectSettings, FunctionError> {
    if owner_full_control && settings.acl.is_some() {
        let why = "ownerFullControl and the setting acl exclude each other; leave one out";
        return Err(FunctionError::Refused(why.to_owned()));
    }
    let settings = if owner_full_control { settings.for_bucket_owner() } else { settings };
    settings.check().map_err(|invalid| FunctionError::Refused(invalid.to_string()))?;
    Ok(settings)
}

/// A bucket, or an object, that the function may touch.
pub(super) fn place(config: &Config, uri: &str) -> Result<S3Prefix, Failure> {
    let place = S3Prefix::parse(uri).map_err(Failure::invalid_request)?;
    config.allow(&place)?;
    Ok(place)
}

/// An object that the function may touch.
pub(super) fn object(config: &Config, uri: &str) -> Result<S3Uri, Failure> {
    let uri = S3Uri::parse(uri).map_err(Failure::invalid_request)?;
    config.allow(&S3Prefix { bucket: uri.bucket.clone(), prefix: uri.key.clone() })?;
    Ok(uri)
}

/// When an object may be written.
pub(super) struct Condition<'a> {
    pub(super) if_absent: bool,
    pub(super) if_match: &'a Option<String>,
}

impl Condition<'_> {
    /// An object that is to be written.
    pub(super) fn target(
        &self,
        config: &Config,
        to: &str,
        settings: &ObjectSettings,
    ) -> Result<Target, Failure> {
        let condition = match (self.if_absent, self.if_match) {
            (true, Some(_)) => {
                let why = "ifAbsent and ifMatch exclude each other; leave one out";
                return Err(Failure::invalid_request(why));
            }
            (true, None) => WriteCondition::Absent,
            (false, Some(etag)) => WriteCondition::Unchanged { etag: etag.clone() },
            (false, None) => WriteCondition::Always,
        };
        Ok(Target { uri: object(config, to)?, condition, settings: settings.clone() })
    }
}
