//! The page about runs and jobs: one HTML file with its data inside, which needs no network.
//!
//! The data is written row by row, so that the page of a hundred thousand jobs is never held here.

use std::io::{self, Write};

use batchwright::domain::queue::queue_name;
use batchwright::domain::{Cause, Job, JobId, JobState, JobStatus, Run, Submission, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Where the data goes.
const PLACE: &str = "/*DATA*/";

/// What a job without a submission has for a status, behind the seven.
const NOT_SUBMITTED: usize = JobStatus::ALL.len();

/// An earlier try: created, started, stopped, cause.
pub(crate) type Earlier = (Option<Timestamp>, Option<Timestamp>, Option<Timestamp>, Option<Cause>);

/// Writes a page.
pub(crate) struct Page<W: Write> {
    out: W,
    after: String,
    rows: Rows,
    jobs: u64,
}

/// Writes jobs as rows. Queues are few: each is written once, and rows tell its number.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    queues: Vec<String>,
}

/// What is told of a job beside its head and latest submission.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// Its earlier tries, oldest first.
    pub(crate) earlier: Vec<Earlier>,
    /// The end of its log.
    pub(crate) log: Option<String>,
    /// Why it is not SUCCEEDED.
    pub(crate) why: String,
}

impl<W: Write> Page<W> {
    /// Begins a page. `place` are the options by which commands find the jobs.
    pub(crate) fn begin(out: W, title: &str, place: &str, runs: &[Run], now: Timestamp) -> io::Result<Self> {
        let (before, after) = shell("");
        let mut page = Self { out, after, rows: Rows::default(), jobs: 0 };
        page.out.write_all(before.as_bytes())?;
        for (name, value) in [("title", json!(title)), ("place", json!(place)), ("runs", json!(runs))] {
            let opened = if name == "title" { '{' } else { ',' };
            write!(page.out, "{opened}\"{name}\":{}", embedded(&value)?)?;
        }
        write!(page.out, ",\"generatedAt\":{},\"jobs\":[", now.as_millis())?;
        Ok(page)
    }

    /// Writes one job.
    pub(crate) fn job(&mut self, job: &Job, beside: &Beside) -> io::Result<()> {
        let row = self.rows.row(job, beside);
        self.write(&row)
    }

    /// Writes what is not known as a job: a line that was rejected.
    pub(crate) fn rejected(&mut self, name: &str, why: &str) -> io::Result<()> {
        self.write(&json!([name, NOT_SUBMITTED, null, null, null, why]))
    }

    fn write(&mut self, row: &Value) -> io::Result<()> {
        if self.jobs > 0 {
            self.out.write_all(b",")?;
        }
        self.jobs += 1;
        self.out.write_all(b"\n")?;
        self.out.write_all(embedded(row)?.as_bytes())
    }

    /// Ends the page. Returns how many jobs it tells of.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        let queues = embedded(&json!(self.rows.queues))?;
        write!(self.out, "\n],\"queues\":{queues}}}{}", self.after)?;
        self.out.flush()?;
        Ok(self.jobs)
    }
}

/// The page that asks the server that it came from for its data, and goes on asking.
pub(crate) fn live_page(is_read_only: bool) -> String {
    let (before, after) = shell(" connect-src 'self';");
    let data = json!({"live": true, "readOnly": is_read_only, "title": "", "place": "", "runs": [], "jobs": [],
        "queues": [], "generatedAt": 0});
    format!("{before}{data}{after}")
}

/// The page before and after its data. `connect` is what its policy says of requests.
fn shell(connect: &str) -> (String, String) {
    let (before, after) = PAGE.split_once(PLACE).expect("the page has a place for its data");
    let before = before.replace("/*STYLE*/", STYLE).replace("/*CONNECT*/", connect);
    (before, after.replace("/*SCRIPT*/", SCRIPT))
}

impl Rows {
    /// The job, as `page.js` reads it.
    pub(crate) fn row(&mut self, job: &Job, beside: &Beside) -> Value {
        let state = job.state();
        let status = job.status();
        let times = state.map(|state| state.times).unwrap_or_default();
        let told = state.map(|state| state.job_queue.as_str()).filter(|queue| !queue.is_empty());
        let queue = told.unwrap_or(&job.head.spec.job_queue);
        let queue = self.queue(queue_name(queue));
        let cause = state.and_then(JobState::cause).filter(|_| status == Some(JobStatus::Failed));
        json!([
            job.name(),
            status.map_or(NOT_SUBMITTED, |status| status as usize),
            cause.map(Cause::as_str),
            queue,
            state.and_then(|state| state.exit_code),
            Some(&beside.why).filter(|why| !why.is_empty()),
            vcpus(job),
            times.created_at.or(job.head.submitted_at),
            times.started_at,
            times.stopped_at,
            job.head.spec.array_properties.as_ref().map(|array| array.size),
            beside.earlier,
            beside.log,
        ])
    }

    /// The names of queues, by the numbers that rows tell.
    pub(crate) fn queues(&self) -> &[String] {
        &self.queues
    }

    fn queue(&mut self, name: &str) -> usize {
        let known = self.queues.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.queues.push(name.to_owned());
            self.queues.len() - 1
        })
    }
}

/// The ids of a job's tries before its latest.
pub(crate) fn earlier_ids(job: &Job) -> impl Iterator<Item = &JobId> {
    let latest = job.head.job_id.as_ref();
    job.head.job_tries.iter().filter(move |job_id| Some(*job_id) != latest)
}

/// An earlier try, by its item where that is known.
pub(crate) fn earlier(job: &Job, job_id: &JobId, item: Option<&Submission>) -> Earlier {
    let state = item.map(|submission| &submission.state);
    let kept = job.head.tries.iter().find(|kept| kept.job_id == *job_id);
    let times = state.map(|state| state.times).unwrap_or_default();
    let cause = job.head.end_of(job_id).and_then(|end| end.cause).or(state.and_then(JobState::cause));
    let created = times.created_at.or(kept.and_then(|kept| kept.submitted_at));
    (created, times.started_at, times.stopped_at, cause)
}

/// What the job asks for: of an array all of its children, at most as many as there are.
fn vcpus(job: &Job) -> f64 {
    use batchwright::domain::spec::ResourceType;
    let overrides = job.head.spec.container_overrides.as_ref();
    let required = overrides.and_then(|overrides| {
        let vcpu =
            overrides.resource_requirements.iter().find(|required| required.kind == ResourceType::Vcpu);
        vcpu.and_then(|vcpu| vcpu.value.parse().ok()).or(overrides.vcpus.map(f64::from))
    });
    required.filter(|vcpus: &f64| vcpus.is_finite() && *vcpus > 0.0).unwrap_or(1.0)
}

/// JSON that may stand inside of a script element: no `<` can end it.
fn embedded(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)?.replace('<', "\\u003c"))
}

/// The data of a page, for tests.
#[cfg(test)]
fn data_of(page: &str) -> Value {
    let (before, after) = shell("");
    serde_json::from_str(page.strip_prefix(&before).unwrap().strip_suffix(&after).unwrap()).unwrap()
}

/// A job with an earlier try, for tests.
#[cfg(test)]
pub(crate) fn example_job(name: &str, status: JobStatus, queue: &str) -> Job {
    use batchwright::domain::{FollowUp, JobHead, JobName, JobSpec, Newer, RunId, Try, TryEnd};

    let name = JobName::parse(name).unwrap();
    let ids = ["first", "second"].map(|id| JobId::parse(id).unwrap());
    let state = JobState { status, ..JobState::submitted(name.clone(), ids[1].clone(), None) };
    let end = Some(TryEnd { status: JobStatus::Failed, cause: Some(Cause::HostLost) });
    let tried = Try {
        job_id: ids[0].clone(),
        job_queue: queue.to_owned(),
        submitted_at: Some(Timestamp::from_millis(1_000)),
        end,
        children: None,
        newer: Newer::default(),
    };
    let head = JobHead {
        spec: JobSpec::new(name, queue, "definition"),
        run_id: RunId::derive("file", "1", "0"),
        claims: 2,
        nonce_seed: String::new(),
        claim: None,
        job_id: Some(ids[1].clone()),
        job_tries: ids.to_vec(),
        tries: vec![tried],
        earlier_tries: 0,
        tries_before: 0,
        refusal: None,
        submitted_at: Some(Timestamp::from_millis(2_000)),
        updated_at: Timestamp::default(),
        newer: Newer::default(),
    };
    Job {
        head,
        latest: Some(Submission {
            state,
            logs: None,
            updated_at: Timestamp::default(),
            follow_up: FollowUp::Open,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::example_job as job;
    use super::*;

    #[test]
    fn a_page_holds_its_jobs_and_what_others_wrote_stays_data() {
        let harm = "</script><script>alert(1)</script><!--";
        let mut written = Vec::new();
        let mut page = Page::begin(&mut written, harm, "--local", &[], Timestamp::from_millis(9)).unwrap();
        let first = job("a", JobStatus::Succeeded, harm);
        let earlier = earlier_ids(&first).map(|job_id| earlier(&first, job_id, None)).collect();
        let beside = Beside { earlier, why: harm.to_owned(), log: Some(harm.to_owned()) };
        page.job(&first, &beside).unwrap();
        page.job(&job("b", JobStatus::Running, harm), &Beside::default()).unwrap();
        assert_eq!(page.finish().unwrap(), 2);
        let text = String::from_utf8(written).unwrap();
        assert!(text.contains("default-src 'none'; style-src"), "no request leaves the page");
        assert_eq!(text.matches("alert(1)</script").count(), 0, "it is escaped wherever it stands");
        let data = data_of(&text);
        assert_eq!((&data["title"], &data["generatedAt"]), (&json!(harm), &json!(9)));
        assert_eq!(data["queues"].as_array().unwrap().len(), 1);
        let row = &data["jobs"][0];
        assert_eq!(
            (&row[0], &row[1], &row[5], &row[12]),
            (&json!("a"), &json!(5), &json!(harm), &json!(harm))
        );
        assert_eq!(row[11], json!([[1_000, null, null, "HOST_LOST"]]));
        assert_eq!((&row[7], &data["jobs"][1][1]), (&json!(2_000), &json!(4)));
    }

    #[test]
    fn a_page_without_jobs_is_whole() {
        let mut written = Vec::new();
        Page::begin(&mut written, "t", "", &[], Timestamp::default()).unwrap().finish().unwrap();
        assert_eq!(data_of(&String::from_utf8(written).unwrap())["jobs"], json!([]));
    }
}
