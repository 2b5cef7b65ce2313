//! ARNs that stand for a bucket: of access points, and of buckets themselves.
//!
//! S3 takes an access point's ARN wherever a bucket is named, and so does every URI here:
//! `s3://arn:aws:s3:eu-west-1:111122223333:accesspoint/name/key`.

const WHAT: &str = ": an ARN of S3 is that of a bucket or of an access point";

/// An access point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AccessPoint<'a> {
    /// `s3`, `s3-object-lambda` or `s3-outposts`.
    pub(super) service: &'a str,
    /// None of one that has several.
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    pub(super) name: &'a str,
    pub(super) outpost: Option<&'a str>,
}

impl<'a> AccessPoint<'a> {
    /// Reads the ARN that stands for a bucket.
    pub(super) fn parse(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':').skip(2);
        let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
        let mut steps = parts.next()?.split(['/', ':']);
        let (outpost, kind) = match (service, steps.next()?) {
            ("s3-outposts", "outpost") => (Some(steps.next()?), steps.next()?),
            (_, kind) => (None, kind),
        };
        let name = steps.next()?;
        (kind == "accesspoint").then_some(Self { service, region, account, name, outpost })
    }
}

/// The bucket, or the ARN that stands for it, and the key or prefix; else why not.
///
/// `of_object` where the whole is the ARN of an object, of which `object/` stands before the key.
pub(super) fn read(text: &str, of_object: bool) -> Result<(String, String), &'static str> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [_, partition, service, region, account, resource] = parts[..] else { return Err(WHAT) };
    if !partition.starts_with("aws") {
        return Err(WHAT);
    }
    let steps = match (service, resource) {
        ("s3", resource) if region.is_empty() && account.is_empty() => {
            let (bucket, key) = resource.split_once('/').unwrap_or((resource, ""));
            return Ok((bucket.to_owned(), key.to_owned()));
        }
        ("s3express", resource) => {
            let rest = resource.strip_prefix("bucket/").ok_or(WHAT)?;
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            return Ok((bucket.to_owned(), key.to_owned()));
        }
        ("s3" | "s3-object-lambda", resource) if resource.starts_with("accesspoint") => 2,
        ("s3-outposts", resource) if resource.starts_with("outpost") => 4,
        _ => return Err(WHAT),
    };
    let ends = resource.match_indices(['/', ':']).nth(steps - 1).map_or(resource.len(), |(at, _)| at);
    let start = text.len() - resource.len();
    let (arn, key) = (&text[..start + ends], resource[ends..].trim_start_matches([':']));
    let key = key.strip_prefix('/').unwrap_or(key);
    let key = if of_object { key.strip_prefix("object/").unwrap_or(key) } else { key };
    match AccessPoint::parse(arn) {
        Some(point) if !point.name.is_empty() => Ok((arn.to_owned(), key.to_owned())),
        _ => Err(WHAT),
    }
}
