//! Who calls: signed or not, at whose cost, and in which Region.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::endpoint::Params;
use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
    BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeId;
use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_types::retry::ErrorKind;

use crate::ports::Caller;

/// Where a bucket lies, in answers of every status.
pub(super) const REGION_HEADER: &str = "x-amz-bucket-region";

/// Set on an answer that tells of another Region than the one that was asked, for [`Elsewhere`].
const ELSEWHERE: &str = "x-batchwright-elsewhere";

/// The client as another caller.
pub(super) fn called_by(client: &Client, caller: Caller) -> Client {
    if caller == Caller::default() {
        return client.clone();
    }
    let mut config = client.config().to_builder();
    if caller.requester_pays {
        config = config.interceptor(RequesterPays);
    }
    if caller.is_anonymous {
        config = config.allow_no_auth().auth_scheme_preference([AuthSchemeId::from("noAuth")]);
    }
    Client::from_conf(config.build())
}

/// Says with every request that the caller pays: buckets with "requester pays" refuse any other.
#[derive(Debug)]
struct RequesterPays;

impl Intercept for RequesterPays {
    fn name(&self) -> &'static str {
        "RequesterPays"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("x-amz-request-payer", "requester");
        Ok(())
    }
}

/// Stands before a key of blanks alone until the request is made.
const BLANK_KEY: &str = "batchwright-blank-key-8f0a6f0c57b94c1e";

/// A key that the SDK takes. It refuses one of blanks alone as missing, though S3 has such keys.
pub(super) fn sent_key(key: &str) -> String {
    if key.trim().is_empty() { format!("{BLANK_KEY}{key}") } else { key.to_owned() }
}

/// Takes from the request what [`sent_key`] has put before a key.
#[derive(Debug)]
pub(in crate::aws) struct BlankKeys;

impl Intercept for BlankKeys {
    fn name(&self) -> &'static str {
        "BlankKeys"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        if request.uri().contains(BLANK_KEY) {
            let uri = request.uri().replacen(BLANK_KEY, "", 1);
            request.set_uri(uri)?;
        }
        Ok(())
    }
}

/// Asks for each bucket where S3 has said that it lies. S3 answers 301, 307, or 400 to `HEAD`, where it is asked
/// elsewhere; the SDK follows none of these, because the request has to be signed anew for the other Region.
#[derive(Debug, Clone, Default)]
pub(in crate::aws) struct FollowRegion(Arc<Mutex<HashMap<String, String>>>);

impl Intercept for FollowRegion {
    fn name(&self) -> &'static str {
        "FollowRegion"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(params) = params(cfg) else { return Ok(()) };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(region) = params.bucket().and_then(|bucket| known.get(bucket)) else { return Ok(()) };
        if params.region() != Some(region) {
            let params = in_region(params, region)?;
            drop(known);
            cfg.interceptor_state().store_put(EndpointResolverParams::new(params));
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let Some(told) = response.headers().get(REGION_HEADER).map(str::to_owned) else { return Ok(()) };
        let Some((params, bucket)) = params(cfg).and_then(|params| Some((params, params.bucket()?))) else {
            return Ok(());
        };
        if !matches!(response.status().as_u16(), 301 | 307 | 400) || params.region() == Some(&told) {
            return Ok(());
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(bucket.to_owned(), told);
        response.headers_mut().insert(ELSEWHERE, "true");
        Ok(())
    }
}

/// Has an attempt repeated whose bucket lies in another Region.
#[derive(Debug)]
pub(in crate::aws) struct Elsewhere;

impl ClassifyRetry for Elsewhere {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().and_then(|response| response.headers().get(ELSEWHERE)) {
            Some(_) => {
                RetryAction::retryable_error_with_explicit_delay(ErrorKind::ServerError, Duration::ZERO)
            }
            None => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Elsewhere"
    }
}

fn params(cfg: &ConfigBag) -> Option<&Params> {
    cfg.load::<EndpointResolverParams>()?.get::<Params>()
}

/// The same in another Region: the SDK's parameters can't be changed.
fn in_region(params: &Params, region: &str) -> Result<Params, BoxError> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let built = Params::builder()
        .region(region)
        .set_bucket(owned(params.bucket()))
        .set_use_fips(params.use_fips())
        .set_use_dual_stack(params.use_dual_stack())
        .set_endpoint(owned(params.endpoint()))
        .set_force_path_style(params.force_path_style())
        .set_accelerate(params.accelerate())
        .set_use_global_endpoint(params.use_global_endpoint())
        .set_use_object_lambda_endpoint(params.use_object_lambda_endpoint())
        .set_key(owned(params.key()))
        .set_prefix(owned(params.prefix()))
        .set_copy_source(owned(params.copy_source()))
        .set_disable_access_points(params.disable_access_points())
        .set_disable_multi_region_access_points(params.disable_multi_region_access_points())
        .set_use_arn_region(params.use_arn_region())
        .set_use_s3_express_control_endpoint(params.use_s3_express_control_endpoint())
        .set_disable_s3_express_session_auth(params.disable_s3_express_session_auth())
        .build();
    Ok(built?)
}
