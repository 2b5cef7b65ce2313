//! The requests that are made to AWS through a configuration, as the IAM actions that allow them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde_json::Value;

/// What has been asked of AWS so far: `dynamodb:Query jobs/index/*`, `s3:PutObject`.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<Made>>);

#[derive(Debug, Default)]
struct Made {
    actions: BTreeSet<String>,
    requests: usize,
}

impl Calls {
    /// A configuration whose requests are kept here. Tables are known by what follows `tables_prefix`.
    pub fn through(&self, config: &SdkConfig, tables_prefix: &str) -> SdkConfig {
        let client = config.http_client().expect("the one client factory sets one");
        let prefix = tables_prefix.to_owned();
        let recording = Recording { inner: client, calls: self.clone(), prefix };
        config.to_builder().http_client(recording).build()
    }

    /// The actions.
    pub fn actions(&self) -> BTreeSet<String> {
        self.made().actions.clone()
    }

    /// How many requests were made since this was asked before.
    pub fn requests(&self) -> usize {
        std::mem::take(&mut self.made().requests)
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone)]
struct Recording<T> {
    inner: T,
    calls: Calls,
    prefix: String,
}

impl HttpClient for Recording<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        let (calls, prefix) = (self.calls.clone(), self.prefix.clone());
        SharedHttpConnector::new(Recording { inner, calls, prefix })
    }
}

impl HttpConnector for Recording<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let made = actions(&request, &self.prefix);
        let mut calls = self.calls.made();
        calls.actions.extend(made);
        calls.requests += 1;
        drop(calls);
        self.inner.call(request)
    }
}

/// The actions by which AWS allows a request.
///
/// # Panics
///
/// Where the request is of a kind that is not known here: then add it.
fn actions(request: &HttpRequest, prefix: &str) -> Vec<String> {
    let header = |name: &str| request.headers().get(name).unwrap_or_default();
    let body: Value =
        request.body().bytes().and_then(|it| serde_json::from_slice(it).ok()).unwrap_or_default();
    let uri: &str = request.uri();
    let path = uri.splitn(4, '/').nth(3).unwrap_or_default();
    // Credential=<key>/<date>/<region>/<service>/aws4_request
    match header("authorization").split('/').nth(3).unwrap_or_default() {
        "dynamodb" => dynamodb(header("x-amz-target"), &body, prefix),
        "batch" => batch(path, &body),
        "events" => vec![format!("events:{}", operation(header("x-amz-target")))],
        "logs" => vec![format!("logs:{}", operation(header("x-amz-target")))],
        "lambda" if path.ends_with("/invocations") => vec!["lambda:InvokeFunction".to_owned()],
        "s3" => {
            let mut made = vec![s3(request.method(), path)];
            if !header("x-amz-acl").is_empty() {
                made.push("s3:PutObjectAcl");
            }
            if !header("x-amz-tagging").is_empty() {
                made.push("s3:PutObjectTagging");
            }
            match header("x-amz-copy-source") {
                "" => {}
                source if source.contains("?versionId=") => made.push("s3:GetObjectVersion"),
                _ => made.push("s3:GetObject"),
            }
            made.into_iter().map(str::to_owned).collect()
        }
        other => {
            panic!("the action of {} {uri} of the service {other:?} is not known here", request.method())
        }
    }
}

fn operation(target: &str) -> &str {
    target.rsplit_once('.').map_or(target, |(_, operation)| operation)
}

/// A transaction is authorised by the actions that it is made of.
fn dynamodb(target: &str, body: &Value, prefix: &str) -> Vec<String> {
    let table = |name: &Value| name.as_str().unwrap_or_default().trim_start_matches(prefix).to_owned();
    match operation(target) {
        "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().into_iter().flatten();
            let parts = parts.filter_map(Value::as_object).flatten();
            let action =
                |kind: &str| if kind == "ConditionCheck" { kind.into() } else { format!("{kind}Item") };
            parts
                .map(|(kind, part)| format!("dynamodb:{} {}", action(kind), table(&part["TableName"])))
                .collect()
        }
        name @ ("BatchGetItem" | "BatchWriteItem") => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(it, _)| format!("dynamodb:{name} {}", it.trim_start_matches(prefix))).collect()
        }
        name => {
            let index = if body["IndexName"].is_string() { "/index/*" } else { "" };
            vec![format!("dynamodb:{name} {}{index}", table(&body["TableName"]))]
        }
    }
}

/// A job that is submitted with tags is tagged by another action.
fn batch(path: &str, body: &Value) -> Vec<String> {
    let action = match path {
        "v1/submitjob" if body["tags"].is_object() => {
            return vec!["batch:SubmitJob".into(), "batch:TagResource".into()];
        }
        "v1/submitjob" => "SubmitJob",
        "v1/describecomputeenvironments" => "DescribeComputeEnvironments",
        "v1/describejobqueues" => "DescribeJobQueues",
        "v1/describejobs" => "DescribeJobs",
        "v1/getjobqueuesnapshot" => "GetJobQueueSnapshot",
        "v1/listjobs" => "ListJobs",
        "v1/canceljob" => "CancelJob",
        "v1/terminatejob" => "TerminateJob",
        other => panic!("the action of {other} is not known here"),
    };
    vec![format!("batch:{action}")]
}

/// Of `bucket/key?query`. Parts of an upload are put, and so are its beginning and its end.
fn s3(method: &str, path: &str) -> &'static str {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_tagging = query.split('&').any(|parameter| parameter.trim_end_matches('=') == "tagging");
    let has_key = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    match method {
        "PUT" | "POST" if has_key => "s3:PutObject",
        "DELETE" if query.contains("uploadId=") => "s3:AbortMultipartUpload",
        "DELETE" if has_key => "s3:DeleteObject",
        "GET" if has_key && is_tagging && query.contains("versionId=") => "s3:GetObjectVersionTagging",
        "GET" if has_key && is_tagging => "s3:GetObjectTagging",
        "GET" | "HEAD" if has_key && query.contains("versionId=") => "s3:GetObjectVersion",
        "GET" | "HEAD" if has_key => "s3:GetObject",
        "GET" | "HEAD" => "s3:ListBucket",
        _ => panic!("the action of {method} {path} is not known here"),
    }
}
