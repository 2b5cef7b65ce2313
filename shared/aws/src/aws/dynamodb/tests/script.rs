//! A client that is answered from a script, and remembers what it asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Map, Value, json};

use super::super::item::Item;
use super::super::{DynamoDbJobStore, Tables};

/// An operation and its request.
pub(super) type Asked = (String, Value);

#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    pub(super) fn of(answers: impl IntoIterator<Item = (u16, Value)>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), asked: Arc::default() }
    }

    /// What was asked, all answers having been used.
    pub(super) fn asked(&self) -> Vec<Asked> {
        assert!(self.answers.lock().unwrap().is_empty(), "answers are left over");
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn operations(&self) -> Vec<String> {
        self.asked().into_iter().map(|(operation, _)| operation).collect()
    }

    /// A store whose SDK repeats nothing.
    pub(super) fn store(&self) -> DynamoDbJobStore {
        let connector = SharedHttpConnector::new(self.clone());
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .endpoint_url("http://127.0.0.1:9")
            .credentials_provider(Credentials::new("test", "test", None, None, "script"))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        let tables = Tables { jobs: "jobs".to_owned(), runs: "runs".to_owned() };
        DynamoDbJobStore::new(Client::from_conf(config), tables)
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap();
        let operation = target.rsplit('.').next().unwrap().to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let written = body["Item"].clone();
        self.asked.lock().unwrap().push((operation, body));
        let (status, mut answer) =
            self.answers.lock().unwrap().pop_front().expect("one answer for each request");
        if answer["Item"] == OWN_ITEM {
            answer["Item"] = written;
        }
        let status = StatusCode::try_from(status).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer.to_string()))))
    }
}

/// Stands for the item of the request that is answered.
const OWN_ITEM: &str = "own";

/// The condition fails on what this very write has made: its first answer was lost.
pub(super) fn refused_by_itself() -> (u16, Value) {
    let (status, mut answer) = refused("ConditionalCheckFailedException");
    answer["Item"] = json!(OWN_ITEM);
    (status, answer)
}

pub(super) fn done() -> (u16, Value) {
    (200, json!({}))
}

pub(super) fn refused(code: &str) -> (u16, Value) {
    (400, json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "scripted"}))
}

/// An item as DynamoDB writes it.
pub(super) fn as_json(item: &Item) -> Value {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(digits) => json!({"N": digits}),
        AttributeValue::Bool(flag) => json!({"BOOL": flag}),
        other => panic!("no item of ours holds {other:?}"),
    };
    Value::Object(item.iter().map(|(name, found)| (name.clone(), value(found))).collect::<Map<_, _>>())
}
