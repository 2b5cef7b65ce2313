//! The schemes and web addresses in which a URI is read and written.

use super::S3Uri;
use super::arn::{self, AccessPoint};

/// How a URI is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form<'a> {
    /// `s3://bucket/key`.
    S3,
    /// `s3a://bucket/key`, as Hadoop has it.
    S3a,
    /// `https://bucket.s3.region.amazonaws.com/key`, the key encoded; `https://s3.region.amazonaws.com/bucket/key`
    /// where no certificate fits the bucket's name.
    Https {
        /// The bucket's Region.
        region: &'a str,
    },
}

/// The bucket and the key or prefix, either of which may be empty; else why not.
pub(super) fn read(text: &str) -> Result<(String, String), &'static str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return if text.starts_with("arn:") { arn::read(text, true) } else { Err("") };
    };
    // Schemes and hosts have no case: RFC 3986, 3.1 and 3.2.2. `s3n` is what Hadoop had before `s3a`.
    match scheme.to_ascii_lowercase().as_str() {
        "s3" | "s3a" | "s3n" if rest.starts_with("arn:") => arn::read(rest, false),
        "s3" | "s3a" | "s3n" => {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            Ok((bucket.to_owned(), key.to_owned()))
        }
        scheme @ ("https" | "http") => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.to_ascii_lowercase();
            match bucket_of_host(without_port(&host)) {
                Some(Host::Website) => Err(WEBSITE),
                Some(Host::SeveralRegions) => Err(SEVERAL_REGIONS),
                Some(Host::Bucket(bucket)) if scheme == "https" => in_path(bucket, path),
                _ => Err(""),
            }
        }
        _ => Err(""),
    }
}

/// The Region that a web address of S3 tells, as in `https://data.s3.eu-west-1.amazonaws.com/a.json`. `None` where it tells
/// none, and for what is no such address.
pub fn region_of(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let host = rest.split('/').next()?.to_ascii_lowercase();
    let host = without_port(&host);
    if !scheme.eq_ignore_ascii_case("https") || bucket_of_host(host).is_none() {
        return None;
    }
    let host = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")?;
    let last = host.rsplit('.').next()?;
    // `s3-eu-west-1` is how addresses had it before they had a label for it.
    let last = last.strip_prefix("s3-").unwrap_or(last);
    is_region(last).then(|| last.to_owned())
}

const WEBSITE: &str = ": it is the address of a bucket's website, which answers no calls of S3's";
const SEVERAL_REGIONS: &str =
    ": the address of a Multi-Region access point does not tell whose it is; use its ARN";

/// What a host of S3 names.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    /// A bucket, or the ARN that stands for it; none where the path names it.
    Bucket(Option<String>),
    Website,
    SeveralRegions,
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    }
}

fn in_path(bucket: Option<String>, path: &str) -> Result<(String, String), &'static str> {
    if path.contains(['?', '#']) {
        return Err(": what follows ? or # is no part of a key");
    }
    let path = decoded(path).ok_or(": its path is not percent-encoded UTF-8")?;
    match bucket {
        Some(bucket) => Ok((bucket, path)),
        None => {
            let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
            Ok((bucket.to_owned(), key.to_owned()))
        }
    }
}

/// Source: AWS General Reference, "Amazon Simple Storage Service endpoints and quotas", and the Amazon S3 user guide on
/// access points, directory buckets, Object Lambda and Outposts.
fn bucket_of_host(host: &str) -> Option<Host> {
    let (host, is_china) = host.strip_suffix(".cn").map_or((host, false), |host| (host, true));
    let host = host.strip_suffix(".amazonaws.com")?;
    let (named, service) = match host.rfind(".s3") {
        Some(at) => (&host[..at], &host[at + 1..]),
        None => ("", host),
    };
    let (service, rest) = service.split_once('.').unwrap_or((service, ""));
    let region = rest.strip_prefix("dualstack").map_or(rest, |rest| rest.trim_start_matches('.'));
    let is_named = !named.is_empty();
    let bucket = || Some(Host::Bucket(is_named.then(|| named.to_owned())));
    let access_point = |kind: &str, label: &str, resource: &str| {
        let (name, account) = label.rsplit_once('-')?;
        let partition = match region {
            _ if is_china => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let arn = format!("arn:{partition}:{kind}:{region}:{account}:{resource}/{name}");
        is_region(region).then_some(Host::Bucket(Some(arn)))
    };
    match service.strip_suffix("-fips").unwrap_or(service) {
        "s3" if rest.is_empty() || is_region(region) => bucket(),
        "s3-accelerate" if region.is_empty() && is_named => bucket(),
        "s3-accesspoint" => access_point("s3", named, "accesspoint"),
        "s3-object-lambda" => access_point("s3-object-lambda", named, "accesspoint"),
        "s3-outposts" => {
            let (label, outpost) = named.split_once('.')?;
            access_point("s3-outposts", label, &format!("outpost/{outpost}/accesspoint"))
        }
        "s3-global" if named.ends_with(".accesspoint") => Some(Host::SeveralRegions),
        name if name.starts_with("s3express-") && is_region(region) && named.ends_with("--x-s3") => bucket(),
        name if name.starts_with("s3-website") => Some(Host::Website),
        name if rest.is_empty() && name.strip_prefix("s3-").is_some_and(is_region) => bucket(),
        _ => None,
    }
}

/// As in `eu-west-1`.
fn is_region(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    !text.contains('.') && text.rsplit_once('-').is_some_and(|(_, number)| is_number(number))
}

impl S3Uri {
    /// The URI in a form. Every form is read back as the same URI.
    pub fn written(&self, form: Form<'_>) -> String {
        let Self { bucket, key } = self;
        match form {
            Form::S3 => self.to_string(),
            Form::S3a => format!("s3a://{bucket}/{key}"),
            Form::Https { region } => https(bucket, &encoded(key), region),
        }
    }
}

fn https(bucket: &str, key: &str, region: &str) -> String {
    let region = AccessPoint::parse(bucket).map_or(region, |point| point.region);
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    let host = if let Some(AccessPoint { service, account, name, outpost, .. }) = AccessPoint::parse(bucket) {
        let service = if service == "s3" { "s3-accesspoint" } else { service };
        match (outpost, name.strip_suffix(".mrap")) {
            (Some(outpost), _) => format!("{name}-{account}.{outpost}.{service}.{region}"),
            (None, Some(alias)) => format!("{alias}.accesspoint.s3-global"),
            (None, None) => format!("{name}-{account}.{service}.{region}"),
        }
    } else if let Some((_, zone)) = bucket.strip_suffix("--x-s3").and_then(|name| name.rsplit_once("--")) {
        format!("{bucket}.s3express-{zone}.{region}")
    } else if bucket.contains(['.', '_']) || bucket.bytes().any(|byte| byte.is_ascii_uppercase()) {
        // The certificate stands for one label below the service's host.
        return format!("https://s3.{region}.amazonaws.com{suffix}/{bucket}/{key}");
    } else {
        format!("{bucket}.s3.{region}")
    };
    format!("https://{host}.amazonaws.com{suffix}/{key}")
}

/// Percent-encodes all but the unreserved characters of RFC 3986 and slashes.
pub fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

/// Takes percent-encoding back. `None` where a `%` is not followed by two hexadecimal digits, and where the bytes are no UTF-8.
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        if byte == b'%' {
            let digits = behind.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &behind[2..];
        } else {
            bytes.push(byte);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_address_tells_its_region() {
        for (text, region) in [
            ("https://data.s3.eu-west-1.amazonaws.com/a.json", Some("eu-west-1")),
            ("https://data.s3.dualstack.eu-west-1.amazonaws.com/a%20b.json", Some("eu-west-1")),
            ("https://s3.us-gov-west-1.amazonaws.com/data/a", Some("us-gov-west-1")),
            ("HTTPS://data.S3.cn-north-1.amazonaws.com.cn:443/a", Some("cn-north-1")),
            ("https://data.s3-us-west-2.amazonaws.com/a", Some("us-west-2")),
            ("https://data.s3-fips.us-east-2.amazonaws.com/a", Some("us-east-2")),
            ("https://base--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com/a", Some("us-east-1")),
            ("https://data.s3.amazonaws.com/a", None),
            ("https://data.s3-accelerate.amazonaws.com/a", None),
            ("https://example.eu-west-1.com/a", None),
            ("s3://data.s3.eu-west-1.amazonaws.com/a", None),
            ("s3://data/a", None),
        ] {
            assert_eq!(region_of(text).as_deref(), region, "{text}");
        }
    }

    #[test]
    fn every_form_is_read_back() {
        for (bucket, key) in [
            ("bucket", "a/b.json"),
            ("my.bucket", "a b+c%20/\u{e9}?#&"),
            ("Old_Bucket", "x"),
            ("bucket", "//a/../"),
            ("s3-data", "s3.json"),
            ("a.s3.b", "k"),
            ("base--use1-az4--x-s3", "a b"),
            ("arn:aws:s3:us-east-1:123456789012:accesspoint/my-ap", "dir/key.json"),
            ("arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/my-ap", "object/key"),
            ("arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/my-lambda", "k"),
            ("arn:aws:s3-outposts:us-east-1:123456789012:outpost/op-1/accesspoint/my-ap", "a/b"),
        ] {
            let uri = S3Uri { bucket: bucket.to_owned(), key: key.to_owned() };
            for region in ["eu-west-1", "us-gov-west-1", "cn-north-1"] {
                for form in [Form::S3, Form::S3a, Form::Https { region }] {
                    let written = uri.written(form);
                    assert_eq!(S3Uri::parse(&written).unwrap(), uri, "{written}");
                }
            }
        }
        let uri = S3Uri { bucket: "bucket".to_owned(), key: "a b/\u{e9}".to_owned() };
        let https = uri.written(Form::Https { region: "eu-west-1" });
        assert_eq!(https, "https://bucket.s3.eu-west-1.amazonaws.com/a%20b/%C3%A9");
    }

    #[test]
    fn addresses_of_s3_are_read() {
        for (text, uri) in [
            ("s3n://b/k", "s3://b/k"),
            ("https://b.s3.amazonaws.com/k", "s3://b/k"),
            ("https://b.s3-eu-west-1.amazonaws.com/k/l", "s3://b/k/l"),
            ("https://b.s3.dualstack.eu-west-1.amazonaws.com/k", "s3://b/k"),
            ("https://s3.eu-west-1.amazonaws.com/b/k%2Fl", "s3://b/k/l"),
            ("https://s3.amazonaws.com/b/k+", "s3://b/k+"),
            ("S3://b/K", "s3://b/K"),
            ("S3A://b/k", "s3://b/k"),
            ("HTTPS://B.S3.AmazonAWS.com/K", "s3://b/K"),
            ("https://b.s3.eu-west-1.amazonaws.com:443/k", "s3://b/k"),
            ("https://s3.eu-west-1.amazonaws.com:8443/b/k", "s3://b/k"),
            ("https://b.s3-accelerate.amazonaws.com/k", "s3://b/k"),
            ("https://b.s3-accelerate.dualstack.amazonaws.com/k", "s3://b/k"),
            ("https://b.s3-fips.us-gov-west-1.amazonaws.com/k", "s3://b/k"),
            ("https://b.s3-fips.dualstack.us-east-1.amazonaws.com/k", "s3://b/k"),
            ("https://s3.dualstack.us-east-1.amazonaws.com/b/k", "s3://b/k"),
            (
                "https://base--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com/k",
                "s3://base--use1-az4--x-s3/k",
            ),
            (
                "https://my-ap-123456789012.s3-accesspoint.dualstack.us-gov-west-1.amazonaws.com/k",
                "s3://arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint/my-ap/k",
            ),
            (
                "https://my-ap-123456789012.s3-accesspoint-fips.us-east-1.amazonaws.com/k",
                "s3://arn:aws:s3:us-east-1:123456789012:accesspoint/my-ap/k",
            ),
            ("arn:aws:s3:::b/dir/k", "s3://b/dir/k"),
            ("s3://arn:aws:s3:::b/dir/k", "s3://b/dir/k"),
            (
                "arn:aws:s3:us-east-1:123456789012:accesspoint/my-ap/object/dir/k",
                "s3://arn:aws:s3:us-east-1:123456789012:accesspoint/my-ap/dir/k",
            ),
            (
                "s3://arn:aws:s3:us-east-1:123456789012:accesspoint:my-ap/k",
                "s3://arn:aws:s3:us-east-1:123456789012:accesspoint:my-ap/k",
            ),
            (
                "s3://arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/k",
                "s3://arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/k",
            ),
            ("arn:aws:s3express:us-east-1:123456789012:bucket/b--az--x-s3/k", "s3://b--az--x-s3/k"),
        ] {
            assert_eq!(S3Uri::parse(text).unwrap().to_string(), uri, "{text}");
        }
    }

    #[test]
    fn other_addresses_are_refused_with_what_is_wrong() {
        for (text, why) in [
            ("https://example.com/b/k", ""),
            ("https://b.s3.evil.example/k", ""),
            ("https://b.s3.eu-west-1.amazonaws.com.evil.example/k", ""),
            ("https://sqs.eu-west-1.amazonaws.com/b/k", ""),
            ("http://b.s3.amazonaws.com/k", ""),
            ("https://b.s3.eu-west-1.amazonaws.com:port/k", ""),
            ("http://b.s3-website-us-east-1.amazonaws.com/k", WEBSITE),
            ("https://b.s3-website.eu-central-1.amazonaws.com/k", WEBSITE),
            ("https://alias.accesspoint.s3-global.amazonaws.com/k", SEVERAL_REGIONS),
            (
                "s3://arn:aws:sqs:eu-west-1:123456789012:queue/k",
                ": an ARN of S3 is that of a bucket or of an access point",
            ),
            (
                "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/",
                ": an ARN of S3 is that of a bucket or of an access point",
            ),
            ("arn:other:s3:::b/k", ": an ARN of S3 is that of a bucket or of an access point"),
            ("https://b.s3.amazonaws.com/k?versionId=1", ": what follows ? or # is no part of a key"),
            ("https://b.s3.amazonaws.com/%zz", ": its path is not percent-encoded UTF-8"),
            ("https://b.s3.amazonaws.com/%+1", ": its path is not percent-encoded UTF-8"),
            ("https://b.s3.amazonaws.com/%ff", ": its path is not percent-encoded UTF-8"),
        ] {
            let error = S3Uri::parse(text).unwrap_err().to_string();
            assert_eq!(error, format!("{text:?} is not an S3 URI{why}; write it as s3://bucket/key"));
        }
    }
}
