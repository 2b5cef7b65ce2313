//! `uri`.

use batchwright::domain::S3Uri;
use batchwright::domain::s3_uri::{Form, check_new_bucket, region_of};
use serde_json::json;

use super::args::UriArgs;
use crate::args::Output;
use crate::exit::{Exit, Failure};
use crate::output::table;

pub(crate) fn uri(args: &UriArgs) -> Result<Exit, Failure> {
    let uri = S3Uri::parse(&args.uri).map_err(|error| Failure::Usage(error.to_string()))?;
    let region = args.bucket_region.clone().or_else(|| region_of(&args.uri));
    let https = uri.written(Form::Https { region: region.as_deref().unwrap_or("us-east-1") });
    let new_bucket = check_new_bucket(&uri.bucket).err().map(|error| error.to_string());
    let parts = [
        ("uri", uri.to_string()),
        ("s3a", uri.written(Form::S3a)),
        ("https", https),
        ("bucket", uri.bucket.clone()),
        ("key", uri.key.clone()),
        ("keyPath", uri.key_path().to_owned()),
        ("keyFile", uri.key_file().to_owned()),
        ("stem", uri.stem().to_owned()),
        ("suffix", uri.suffix().to_owned()),
        ("globFilePattern", uri.glob_file_pattern().as_str().to_owned()),
    ];
    if args.shown.output == Output::Table {
        let mut rows = table::table(&["PART", "VALUE"]);
        for (name, value) in parts {
            rows.add_row([name.to_owned(), value]);
        }
        println!("{}", table::rendered(rows));
        if let Some(why) = new_bucket {
            eprintln!("{why}");
        }
        return Ok(Exit::Well);
    }
    let mut object: serde_json::Map<_, _> =
        parts.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    object.insert("newBucketProblem".to_owned(), json!(new_bucket));
    println!("{}", serde_json::Value::from(object));
    Ok(Exit::Well)
}
