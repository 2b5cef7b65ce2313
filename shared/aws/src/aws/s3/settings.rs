//! What a request says of how an object is kept.

use crate::domain::{ObjectSettings, s3_uri::encoded};

/// Puts settings into a call that makes an object. The calls share their setters by name only.
macro_rules! with_settings {
    ($call:expr, $settings:expr) => {{
        let settings: &$crate::domain::ObjectSettings = $settings;
        $call
            .set_acl(settings.acl.as_deref().map(aws_sdk_s3::types::ObjectCannedAcl::from))
            .set_cache_control(settings.cache_control.clone())
            .set_content_disposition(settings.content_disposition.clone())
            .set_content_language(settings.content_language.clone())
            .set_metadata($crate::aws::s3::settings::metadata(settings))
            .set_tagging($crate::aws::s3::settings::tagging(&settings.tags))
            .set_storage_class(settings.storage_class.as_deref().map(aws_sdk_s3::types::StorageClass::from))
            .set_server_side_encryption(
                settings.server_side_encryption.as_deref().map(aws_sdk_s3::types::ServerSideEncryption::from),
            )
            .set_ssekms_key_id(settings.kms_key_id.clone())
            .set_checksum_algorithm(
                settings.checksum_algorithm.as_deref().map(aws_sdk_s3::types::ChecksumAlgorithm::from),
            )
    }};
}

pub(super) use with_settings;

pub(super) fn metadata(settings: &ObjectSettings) -> Option<std::collections::HashMap<String, String>> {
    let metadata = settings.metadata.iter().map(|(name, value)| (name.clone(), value.clone()));
    Some(metadata.collect()).filter(|metadata: &std::collections::HashMap<_, _>| !metadata.is_empty())
}

/// The header `x-amz-tagging`: a query string.
pub(super) fn tagging(tags: &std::collections::BTreeMap<String, String>) -> Option<String> {
    let escaped = |text: &str| encoded(text).replace('/', "%2F");
    let pairs = tags.iter().map(|(key, value)| format!("{}={}", escaped(key), escaped(value)));
    Some(pairs.collect::<Vec<_>>().join("&")).filter(|tags| !tags.is_empty())
}
