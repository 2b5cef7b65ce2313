//! Buckets some of whose calls fail.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};
use tokio::time::Instant;

use super::{buckets, uri};
use crate::domain::{S3Prefix, S3Uri};
use crate::memory::{InMemoryBucketWriter, InMemoryBuckets};
use crate::objects::{ConvertRequest, FailureCode, Patience, Target, convert, wait};
use crate::ports::{
    BucketInfo, Buckets, Caller, Copied, CopyOptions, Depth, ListFrom, Listing, Look, NewObject, ObjectInfo,
    PortError,
};

/// What is wrong with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A body breaks off behind so many bytes.
    BreaksOff(usize),
    /// A body stops coming behind so many bytes.
    Stalls(usize),
    /// So many looks at objects are throttled.
    Throttles(u32),
}

pub(super) struct Faulty {
    pub(super) inner: InMemoryBuckets,
    pub(super) fault: Fault,
    pub(super) looks: AtomicU32,
}

impl Faulty {
    pub(super) fn new(inner: InMemoryBuckets, fault: Fault) -> Self {
        Self { inner, fault, looks: AtomicU32::new(0) }
    }
}

/// Ends in an error, or not at all.
pub(super) struct Torn {
    bytes: Vec<u8>,
    stalls: bool,
}

impl AsyncRead for Torn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match (self.bytes.is_empty(), self.stalls) {
            (false, _) => {
                let taken = self.bytes.len().min(buffer.remaining());
                buffer.put_slice(&self.bytes[..taken]);
                self.bytes.drain(..taken);
                Poll::Ready(Ok(()))
            }
            (true, true) => Poll::Pending,
            (true, false) => Poll::Ready(Err(io::Error::other("the connection is gone"))),
        }
    }
}

impl Buckets for Faulty {
    type Reader = Pin<Box<dyn AsyncBufRead + Send>>;
    type Writer = InMemoryBucketWriter;

    fn called_by(&self, _: Caller) -> Self {
        Self::new(self.inner.clone(), self.fault)
    }

    async fn open(&self, object: &S3Uri, _: Option<&str>) -> Result<Look<Self::Reader>, PortError> {
        let (Fault::BreaksOff(at) | Fault::Stalls(at)) = self.fault else {
            let found = self.inner.open(object, None).await?;
            return Ok(found.map(|reader| Box::pin(reader) as Self::Reader));
        };
        let Some(mut bytes) = self.inner.bytes(object) else { return Ok(Look::Absent) };
        bytes.truncate(at);
        let stalls = matches!(self.fault, Fault::Stalls(_));
        Ok(Look::Found(Box::pin(BufReader::new(Torn { bytes, stalls }))))
    }

    async fn create(&self, object: &S3Uri, wanted: NewObject) -> Result<Self::Writer, PortError> {
        self.inner.create(object, wanted).await
    }

    async fn look_at_object(
        &self,
        object: &S3Uri,
        version_id: Option<&str>,
    ) -> Result<Look<ObjectInfo>, PortError> {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::Throttles(times) if looks < times => Err(PortError::throttled("HeadObject", None)),
            _ => self.inner.look_at_object(object, version_id).await,
        }
    }

    async fn look_at_bucket(&self, bucket: &str) -> Result<Look<BucketInfo>, PortError> {
        self.inner.look_at_bucket(bucket).await
    }

    async fn list(&self, place: &S3Prefix, depth: Depth, from: &ListFrom) -> Result<Listing, PortError> {
        self.inner.list(place, depth, from).await
    }

    async fn copy(
        &self,
        from: &S3Uri,
        version_id: Option<&str>,
        to: &S3Uri,
        wanted: &CopyOptions,
    ) -> Result<Look<Copied>, PortError> {
        self.inner.copy(from, version_id, to, wanted).await
    }
}

fn lines() -> String {
    "{\"type\":\"Feature\",\"geometry\":null,\"properties\":null}\n".repeat(1_000)
}

#[tokio::test(start_paused = true)]
async fn a_source_that_breaks_off_or_stalls_leaves_nothing_behind() {
    for (fault, code) in [
        (Fault::BreaksOff(30_000), FailureCode::Unavailable),
        (Fault::BreaksOff(0), FailureCode::Unavailable),
        (Fault::Stalls(30_000), FailureCode::TimeOver),
    ] {
        let inner = buckets(&[("s3://b/a.geojsonl", &lines())]);
        let faulty = Faulty::new(inner.clone(), fault);
        let end = Some(Instant::now() + Duration::from_secs(60));
        let request = ConvertRequest { end, ..ConvertRequest::default() };
        let target = Target::at(uri("s3://b/a.geojson"));
        let failure = convert(&faulty, &uri("s3://b/a.geojsonl"), None, &target, &request).await.unwrap_err();
        assert_eq!((failure.code, failure.may_pass()), (code, true), "{fault:?}: {failure}");
        assert_eq!(inner.uris(), [uri("s3://b/a.geojsonl")], "{fault:?}");
        assert_eq!(inner.open_writers(), 0, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_the_object_is_there() {
    let faulty = Faulty::new(buckets(&[]), Fault::Throttles(3));
    let started = Instant::now();
    let patience = Patience::until(started + Duration::from_secs(600));
    let object = uri("s3://b/late.json");
    let writing = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        faulty.inner.put(&object, "application/json", "{}");
    };
    let (found, ()) = tokio::join!(wait(&faulty, &object, patience), writing);
    assert_eq!(found.unwrap().size_bytes, Some(2));
    let waited = started.elapsed();
    assert!((60..=70).contains(&waited.as_secs()), "{waited:?}");
    let looks = faulty.looks.load(Ordering::Relaxed);
    assert!((6..=16).contains(&looks), "it backs off: {looks} looks");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_its_time_and_at_once_where_it_is_in_vain() {
    let buckets = buckets(&[]);
    let started = Instant::now();
    let patience = Patience::until(started + Duration::from_secs(30));
    let failure = wait(&buckets, &uri("s3://b/never.json"), patience).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::TimeOver);
    assert!(failure.message.contains("there is no such object"), "{failure}");
    assert_eq!(started.elapsed(), Duration::from_secs(30));
    buckets.deny("b");
    let patience = Patience::until(Instant::now() + Duration::from_secs(30));
    let failure = wait(&buckets, &uri("s3://b/never.json"), patience).await.unwrap_err();
    assert_eq!((failure.code, started.elapsed()), (FailureCode::Denied, Duration::from_secs(30)));
}
