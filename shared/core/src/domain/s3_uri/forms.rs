//! The schemes and web addresses in which a URI is read and written.

use super::{S3Uri, SCHEME};

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

/// Schemes that are read. `s3n` is what Hadoop had before `s3a`.
const SCHEMES: [&str; 3] = [SCHEME, "s3a://", "s3n://"];

/// The bucket and the key or prefix, either of which may be empty; else why not.
pub(super) fn read(text: &str) -> Result<(String, String), &'static str> {
    if let Some(rest) = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        return Ok((bucket.to_owned(), key.to_owned()));
    }
    let rest = text.strip_prefix("https://").ok_or("")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (bucket, in_path) = bucket_of_host(host).ok_or("")?;
    if path.contains(['?', '#']) {
        return Err(": what follows ? or # is no part of a key");
    }
    let path = decoded(path).ok_or(": its path is not percent-encoded UTF-8")?;
    if !in_path {
        return Ok((bucket.to_owned(), path));
    }
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    Ok((bucket.to_owned(), key.to_owned()))
}

/// The bucket that a host of S3 names, or that the path has to.
fn bucket_of_host(host: &str) -> Option<(&str, bool)> {
    let host = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")?;
    let (bucket, service) = match host.rfind(".s3") {
        Some(at) => (&host[..at], &host[at + 1..]),
        None => ("", host),
    };
    let rest = ["s3.dualstack.", "s3-fips.", "s3.", "s3-"].iter().find_map(|name| service.strip_prefix(name));
    let is_region = |text: &str| !text.is_empty() && !text.contains('.') && text.contains('-');
    (service == "s3" || rest.is_some_and(is_region)).then_some((bucket, bucket.is_empty()))
}

impl S3Uri {
    /// The URI in a form. Every form is read back as the same URI.
    pub fn written(&self, form: Form<'_>) -> String {
        let Self { bucket, key } = self;
        match form {
            Form::S3 => self.to_string(),
            Form::S3a => format!("s3a://{bucket}/{key}"),
            Form::Https { region } => {
                let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
                let key = encoded(key);
                // The certificate stands for one label below the service's host.
                if bucket.contains(['.', '_']) || bucket.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    format!("https://s3.{region}.amazonaws.com{suffix}/{bucket}/{key}")
                } else {
                    format!("https://{bucket}.s3.{region}.amazonaws.com{suffix}/{key}")
                }
            }
        }
    }
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

/// `None` where a `%` is not followed by two hexadecimal digits, and where the bytes are no UTF-8.
fn decoded(text: &str) -> Option<String> {
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
    fn every_form_is_read_back() {
        for (bucket, key) in [
            ("bucket", "a/b.json"),
            ("my.bucket", "a b+c%20/\u{e9}?#&"),
            ("Old_Bucket", "x"),
            ("bucket", "//a/../"),
            ("s3-data", "s3.json"),
            ("a.s3.b", "k"),
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
