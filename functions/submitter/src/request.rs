//! What the submitter is asked for.

use batchwright::domain::{RunId, S3Uri, SourceVersion};
use batchwright::events::{Continuation, Event, EventError, S3Object};
use batchwright::function::FunctionError;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

const ONE_FORM: &str = "a call has one of the fields jobs (with defaults, if need be), uri and continue; rerun goes \
                        with jobs and uri, or inside continue";

/// Uploads under it are job files.
const JOB_FILES: &str = "jobs/";

/// Where the jobs of direct calls are kept as job files, outside of what the upload rule looks at.
pub(crate) const CALLS: &str = "calls/";

/// One run that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    /// A file in the bucket, and which content of it where that is known.
    File { run_id: RunId, uri: S3Uri, version: SourceVersion, rerun: bool },
    /// Jobs that came with the call: a document as a job file holds it.
    Jobs { run_id: RunId, document: Value, rerun: bool },
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::schema::one_form))]
pub(crate) struct Direct {
    #[cfg_attr(feature = "schema", schemars(with = "Vec<batchwright::job_file::Job>"))]
    jobs: Option<Value>,
    #[cfg_attr(feature = "schema", schemars(with = "batchwright::job_file::Defaults"))]
    defaults: Option<Value>,
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("pattern" = r"^s3://[^/]+/(jobs|calls)/[\s\S]+$")))]
    uri: Option<String>,
    #[cfg_attr(feature = "schema", schemars(with = "Continuation"))]
    r#continue: Option<Continuation>,
    /// With jobs or a URI: run again what SUCCEEDED.
    #[serde(default)]
    rerun: bool,
}

/// The runs that an event asks for; none where nothing of it concerns job files. `request_id` tells
/// two direct calls apart.
pub(crate) fn requests(event: Value, bucket: &str, request_id: &str) -> Result<Vec<Request>, FunctionError> {
    if ["jobs", "uri", "continue"].iter().any(|field| event.get(field).is_some()) {
        return direct(event, bucket, request_id).map(|request| vec![request]);
    }
    match Event::from_value(event)? {
        Event::S3Objects(objects) => {
            let concerned = objects.into_iter().filter(is_job_file);
            concerned.map(|object| uploaded(object, bucket)).collect()
        }
        Event::S3Test { bucket } => {
            info!(s3.bucket = bucket, "S3 tries its notification out");
            Ok(Vec::new())
        }
        Event::JobStateChange(_) | Event::StrangersJob | Event::QueueBlocked(_) => {
            Err(refused("the submitter takes job files; events of AWS Batch belong to the state handler"))
        }
    }
}

fn direct(event: Value, bucket: &str, request_id: &str) -> Result<Request, FunctionError> {
    let direct: Direct = serde_json::from_value(event).map_err(|error| EventError::Malformed {
        kind: "call of the submitter",
        reason: error.to_string(),
    })?;
    match direct {
        Direct { jobs: Some(jobs), uri: None, r#continue: None, defaults, rerun } => {
            let run_id = RunId::derive("direct call", &jobs.to_string(), request_id);
            let document = match defaults {
                Some(defaults) => json!({"defaults": defaults, "jobs": jobs}),
                None => json!({"jobs": jobs}),
            };
            Ok(Request::Jobs { run_id, document, rerun })
        }
        Direct { uri: Some(uri), jobs: None, defaults: None, r#continue: None, rerun } => {
            let uri = own(&uri, bucket)?;
            let run_id = RunId::derive(&uri.to_string(), "direct call", request_id);
            Ok(Request::File { run_id, uri, version: SourceVersion::default(), rerun })
        }
        Direct {
            r#continue: Some(Continuation { run_id, source, rerun }),
            jobs: None,
            defaults: None,
            uri: None,
            rerun: false,
        } => {
            let (uri, version) = (own(&source, bucket)?, SourceVersion::default());
            Ok(Request::File { run_id, uri, version, rerun })
        }
        _ => Err(refused(ONE_FORM)),
    }
}

/// A file that the submitter may read: its role has these prefixes of the bucket alone.
fn own(uri: &str, bucket: &str) -> Result<S3Uri, FunctionError> {
    let uri = S3Uri::parse(uri).map_err(refused)?;
    if uri.bucket != bucket {
        return Err(refused(format!("{uri} is not in the bucket {bucket}; copy the job file there")));
    }
    if ![JOB_FILES, CALLS].iter().any(|prefix| uri.key.starts_with(prefix)) {
        let why = "the submitter reads job files under jobs/ and calls/ alone; copy it under calls/, where no upload starts it";
        return Err(refused(format!("{uri}: {why}")));
    }
    Ok(uri)
}

/// A console's folder is an object too, whose key ends with a slash.
fn is_job_file(object: &S3Object) -> bool {
    let is = object.is_created() && object.key.starts_with(JOB_FILES) && !object.key.ends_with('/');
    if !is {
        info!(s3.key = object.key, event.name = object.event_name, "no job file");
    }
    is
}

/// The version tells two uploads of one key apart; where the bucket keeps none, the ETag and the
/// sequencer do.
fn uploaded(object: S3Object, bucket: &str) -> Result<Request, FunctionError> {
    let uri = own(&S3Uri { bucket: object.bucket, key: object.key }.to_string(), bucket)?;
    let version = SourceVersion::new(object.version_id, object.e_tag);
    let told = version.version_id.as_deref().or(version.e_tag.as_deref()).unwrap_or_default();
    let run_id = RunId::derive(&uri.to_string(), told, &object.sequencer.unwrap_or_default());
    Ok(Request::File { run_id, uri, version, rerun: false })
}

fn refused(why: impl ToString) -> FunctionError {
    FunctionError::Refused(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(name: &str, bucket: &str, key: &str, sequencer: &str) -> Value {
        json!({"Records": [{"eventSource": "aws:s3", "eventName": name, "s3": {
            "bucket": {"name": bucket},
            "object": {"key": key, "size": 1, "eTag": "e", "sequencer": sequencer},
        }}]})
    }

    fn one(event: Value) -> Request {
        requests(event, "b", "r").unwrap().remove(0)
    }

    #[test]
    fn an_upload_is_one_run_whichever_way_and_however_often_it_is_delivered() {
        let direct = one(notification("ObjectCreated:Put", "b", "jobs/my+file.json", "01"));
        let bridged = one(json!({
            "source": "aws.s3", "detail-type": "Object Created",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "jobs/my file.json", "etag": "e", "sequencer": "01"}},
        }));
        assert_eq!(direct, bridged);
        let Request::File { uri, .. } = &direct else { panic!("{direct:?}") };
        assert_eq!(uri.to_string(), "s3://b/jobs/my file.json");
        assert_ne!(direct, one(notification("ObjectCreated:Put", "b", "jobs/my+file.json", "02")));
    }

    #[test]
    fn a_call_that_lambda_repeats_is_one_run() {
        let call = json!({"jobs": [{"jobName": "a"}], "aFieldOfTomorrow": 1});
        assert_eq!(one(call.clone()), one(call.clone()));
        let another = requests(call.clone(), "b", "another").unwrap().remove(0);
        assert_ne!(one(call), another);
    }

    #[test]
    fn a_run_is_gone_on_with_as_the_reconciler_asks_for_it() {
        let run_id = RunId::parse("run-7").unwrap();
        let asked =
            Continuation { run_id: run_id.clone(), source: "s3://b/calls/a.json".to_owned(), rerun: true };
        let uri = S3Uri::parse("s3://b/calls/a.json").unwrap();
        let call = serde_json::from_slice(&asked.payload()).unwrap();
        assert_eq!(one(call), Request::File { run_id, uri, version: SourceVersion::default(), rerun: true });
    }

    #[test]
    fn what_is_no_job_file_asks_for_nothing() {
        for event in [
            notification("ObjectRemoved:Delete", "b", "jobs/a.json", "01"),
            notification("ObjectCreated:Put", "b", "reports/a.jsonl", "01"),
            notification("ObjectCreated:Put", "b", "jobs/folder/", "01"),
            json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}),
        ] {
            assert_eq!(requests(event.clone(), "b", "r").unwrap(), [], "{event}");
        }
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (event, expected) in [
            (json!(7), "not an event that is read here: a number"),
            (json!({"job": 1}), "not an event that is read here: an object with the fields job"),
            (json!({"uri": "jobs/a.json"}), "\"jobs/a.json\" is not an S3 URI; write it as s3://bucket/key"),
            (
                json!({"uri": 7}),
                "malformed call of the submitter: invalid type: integer `7`, expected a string",
            ),
            (
                json!({"uri": "s3://theirs/a.json"}),
                "s3://theirs/a.json is not in the bucket b; copy the job file there",
            ),
            (
                json!({"uri": "s3://b/elsewhere/jobs/a.json"}),
                "s3://b/elsewhere/jobs/a.json: the submitter reads job files under jobs/ and calls/ alone; copy it under calls/, where no upload starts it",
            ),
            (
                json!({"continue": {"runId": "r", "source": "s3://b/a.json"}}),
                "s3://b/a.json: the submitter reads job files under jobs/ and calls/ alone; copy it under calls/, where no upload starts it",
            ),
            (json!({"uri": "s3://b/a.json", "jobs": []}), ONE_FORM),
            (json!({"continue": {"runId": "r", "source": "s3://b/a.json"}, "rerun": true}), ONE_FORM),
            (json!({"continue": {"runId": "r"}}), "malformed call of the submitter: missing field `source`"),
            (
                notification("ObjectCreated:Put", "theirs", "jobs/a.json", "1"),
                "s3://theirs/jobs/a.json is not in the bucket b; copy the job file there",
            ),
        ] {
            let error = requests(event, "b", "r").unwrap_err();
            assert_eq!((error.to_string().as_str(), error.may_pass()), (expected, false));
        }
    }
}
