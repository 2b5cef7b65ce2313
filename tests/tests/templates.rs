//! The templates beside the code: the tables as the adapter defines them, queues, rules and roles.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use batchwright::aws::dynamodb::{Attribute, AttributeKind, JOBS, Key, RUNS, TableDefinition};
use batchwright_tests::template::{of_type, read, statements};
use serde_json::{Value, json};

fn sorted(values: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut values: Vec<Value> = values.into_iter().collect();
    values.sort_by_key(Value::to_string);
    values
}

fn key_schema(key: Key) -> Vec<Value> {
    let element =
        |attribute: Attribute, kind: &str| json!({"AttributeName": attribute.name, "KeyType": kind});
    let sort = key.sort.map(|attribute| element(attribute, "RANGE"));
    std::iter::once(element(key.partition, "HASH")).chain(sort).collect()
}

fn has_the_keys_of(properties: &Value, definition: TableDefinition) {
    let attributes = definition.attributes().into_iter().map(|attribute| {
        let kind = match attribute.kind {
            AttributeKind::Text => "S",
            AttributeKind::Number => "N",
        };
        json!({"AttributeName": attribute.name, "AttributeType": kind})
    });
    let indexes = definition.indexes.iter().map(|index| {
        json!({
            "IndexName": index.name,
            "KeySchema": key_schema(index.key),
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        })
    });
    let list = |name: &str| sorted(properties[name].as_array().unwrap().clone());
    assert_eq!(properties["KeySchema"], json!(key_schema(definition.key)));
    assert_eq!(list("AttributeDefinitions"), sorted(attributes));
    assert_eq!(list("GlobalSecondaryIndexes"), sorted(indexes));
}

#[test]
fn the_tables_are_those_of_the_adapter() {
    let template = read("data.yaml");
    has_the_keys_of(&template["Resources"]["JobsTable"]["Properties"], JOBS);
    has_the_keys_of(&template["Resources"]["RunsTable"]["Properties"], RUNS);
    assert_eq!(of_type(&template, "AWS::DynamoDB::Table").len(), 2);
}

#[test]
fn what_holds_data_outlives_its_stack() {
    let template = read("data.yaml");
    let kept = ["AWS::DynamoDB::Table", "AWS::S3::Bucket"].map(|kind| of_type(&template, kind));
    for (name, resource) in kept.into_iter().flatten() {
        assert_eq!(
            (&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]),
            (&json!("Retain"), &json!("Retain")),
            "{name}"
        );
    }
    for (name, table) in of_type(&template, "AWS::DynamoDB::Table") {
        let properties = &table["Properties"];
        assert_eq!(
            properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
            json!(true),
            "{name}"
        );
        assert_eq!(properties["SSESpecification"]["SSEEnabled"], json!(true), "{name}");
    }
}

/// Actions for which AWS knows no resources.
/// Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/>
const WITHOUT_RESOURCES: &[&str] = &[
    "batch:DescribeComputeEnvironments",
    "batch:DescribeJobQueues",
    "batch:DescribeJobs",
    // Where it may name a queue could not be looked up; named, it would be refused if it may not.
    "batch:GetJobQueueSnapshot",
    "batch:ListJobs",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
];

#[test]
fn only_what_knows_no_resources_is_allowed_on_all() {
    let template = read("app.yaml");
    for (name, role) in of_type(&template, "AWS::IAM::Role") {
        for statement in statements(role) {
            for action in statement["Action"].as_array().unwrap() {
                let on_all = statement["Resource"] == json!("*");
                let expected = WITHOUT_RESOURCES.contains(&action.as_str().unwrap());
                assert_eq!(on_all, expected, "{name}: {action}");
            }
        }
    }
}

#[test]
fn every_function_has_its_own_role_and_log_and_reports_what_it_hands_back() {
    let template = read("app.yaml");
    for (name, function) in of_type(&template, "AWS::Serverless::Function") {
        let properties = &function["Properties"];
        assert_eq!(properties["Role"], json!(format!("{name}Role.Arn")));
        assert_eq!(properties["LoggingConfig"]["LogGroup"], json!(format!("{name}Logs")));
        let events = properties["Events"].as_object().into_iter().flatten();
        for (_, event) in events.filter(|(_, event)| event["Type"] == "SQS") {
            let source = &event["Properties"];
            assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{name}");
            let queue = source["Queue"].as_str().unwrap().trim_end_matches(".Arn");
            let queue = &template["Resources"][queue]["Properties"];
            let timeout = properties["Timeout"].as_u64().unwrap();
            assert!(queue["VisibilityTimeout"].as_u64().unwrap() >= 6 * timeout, "{name}");
            assert!(queue["RedrivePolicy"]["maxReceiveCount"].as_u64().unwrap() > 1, "{name}");
        }
    }
}

#[test]
fn every_target_of_a_rule_has_a_dead_letter_queue_that_it_may_fill() {
    let template = read("app.yaml");
    let policy = &template["Resources"]["QueuePolicy"]["Properties"];
    let statement = &policy["PolicyDocument"]["Statement"][0];
    let fillable = statement["Resource"].as_array().unwrap();
    let mut rules = of_type(&template, "AWS::Events::Rule");
    // It tells people by the topic: what can't be delivered within a day is old news.
    assert!(rules.remove("RunEndRule").is_some());
    let sources: Vec<Value> = rules.keys().map(|rule| json!(format!("{rule}.Arn"))).collect();
    let allowed = statement["Condition"]["ArnEquals"]["aws:SourceArn"].as_array().unwrap().clone();
    assert_eq!(sorted(allowed), sorted(sources));
    for (name, rule) in rules {
        for target in rule["Properties"]["Targets"].as_array().unwrap() {
            assert!(fillable.contains(&target["DeadLetterConfig"]["Arn"]), "{name}");
            let arn = &target["Arn"];
            assert!(fillable.contains(arn) || arn == "Submitter.Arn", "{name}: {arn}");
        }
    }
}

#[test]
fn a_first_delivery_finds_a_log_that_has_settled() {
    let template = read("app.yaml");
    let delay = &template["Resources"]["LogQueue"]["Properties"]["DelaySeconds"];
    assert_eq!(delay, "LogSettleSeconds", "whatever it is set to, the queue waits as long");
}

/// What `!If [Condition, !Ref Parameter, !Ref AWS::NoValue]` is read as.
fn given(condition: &str, parameter: &str) -> Value {
    json!([condition, parameter, "AWS::NoValue"])
}

#[test]
fn a_customers_key_where_it_is_given_encrypts_all_that_is_kept() {
    let (app, data) = (read("app.yaml"), read("data.yaml"));
    let key = given("HasKey", "KmsKeyArn");
    for (template, kind, place) in [
        (&app, "AWS::SQS::Queue", "/KmsMasterKeyId"),
        (&app, "AWS::SNS::Topic", "/KmsMasterKeyId"),
        (&app, "AWS::Logs::LogGroup", "/KmsKeyId"),
        (&data, "AWS::DynamoDB::Table", "/SSESpecification/KMSMasterKeyId"),
        (
            &data,
            "AWS::S3::Bucket",
            "/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/KMSMasterKeyID",
        ),
    ] {
        let resources = of_type(template, kind);
        assert!(!resources.is_empty(), "{kind}");
        for (name, resource) in resources {
            assert_eq!(resource["Properties"].pointer(place), Some(&key), "{name}");
        }
    }
    assert_eq!(app["Globals"]["Function"]["KmsKeyArn"], key, "the functions' variables");
}

#[test]
fn options_are_off_by_default() {
    for (template, options) in [
        (
            "app.yaml",
            &["EventQueues", "KmsKeyArn", "PermissionsBoundaryArn", "SecurityGroupIds", "SubnetIds"][..],
        ),
        ("data.yaml", &["AccessLogBucket", "KmsKeyArn"]),
    ] {
        let template = read(template);
        for option in options {
            assert_eq!(template["Parameters"][option]["Default"], "", "{option}");
        }
    }
    let app = read("app.yaml");
    let pattern = |rule: &str| app["Resources"][rule]["Properties"]["EventPattern"].clone();
    for rule in ["StateRule", "EndRule"] {
        let [condition, only, all] = [0, 1, 2].map(|place| pattern(rule)[place].clone());
        assert_eq!(condition, "HasEventQueues");
        let mut without = only.clone();
        let detail = without["detail"].as_object_mut().unwrap();
        assert_eq!(detail.remove("jobQueue"), Some(json!([",", "EventQueues"])), "{rule}: {only}");
        assert_eq!(without, all, "{rule}: both patterns say the same of all else");
    }
}
