//! What is known of the jobs, and what of it a page has not heard.

use std::collections::HashMap;

use batchwright::domain::{Job, JobName, JobStatus, Run, Timestamp};
use serde::Deserialize;
use serde_json::json;

use crate::report::{Beside, Rows};

/// What a page has heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Known {
    /// Of what list of jobs; none at first.
    #[serde(default, deserialize_with = "number_or_nothing")]
    pub(crate) epoch: Option<u64>,
    /// Up to which change.
    #[serde(default)]
    pub(crate) after: u64,
}

fn number_or_nothing<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(serde::de::Error::custom) }
}

/// What tells that a job has changed, without its row.
type Print = (Option<JobStatus>, u32, Timestamp, Option<Timestamp>);

/// The jobs, as of the latest look. Rows are kept as they are sent, about 200 bytes each.
#[derive(Debug)]
pub(crate) struct News {
    /// Another list: some of its jobs are gone.
    epoch: u64,
    /// The latest change.
    version: u64,
    jobs: Vec<Entry>,
    places: HashMap<JobName, usize>,
    rows: Rows,
    looks: u64,
}

#[derive(Debug)]
struct Entry {
    name: JobName,
    print: Print,
    row: Box<str>,
    changed_at: u64,
    seen_at: u64,
}

impl News {
    /// `epoch`: one that no other console has had.
    pub(crate) fn new(epoch: u64) -> Self {
        let (jobs, places, rows) = (Vec::new(), HashMap::new(), Rows::default());
        Self { epoch, version: 0, jobs, places, rows, looks: 0 }
    }

    /// A look begins.
    pub(crate) fn begin_look(&mut self) {
        self.looks += 1;
        self.version += 1;
    }

    /// Whether a job, which is seen by this look, has to be told anew.
    pub(crate) fn has_changed(&mut self, job: &Job) -> bool {
        let Some(place) = self.places.get(job.name()) else { return true };
        let entry = &mut self.jobs[*place];
        entry.seen_at = self.looks;
        entry.print != print_of(job)
    }

    /// Takes in a job that has changed.
    pub(crate) fn take_in(&mut self, job: &Job, beside: &Beside) {
        let entry = Entry {
            name: job.name().clone(),
            print: print_of(job),
            row: self.rows.row(job, beside).to_string().into(),
            changed_at: self.version,
            seen_at: self.looks,
        };
        if let Some(place) = self.places.get(job.name()) {
            self.jobs[*place] = entry;
        } else {
            self.places.insert(entry.name.clone(), self.jobs.len());
            self.jobs.push(entry);
        }
    }

    /// The look has ended: who was not seen is gone.
    pub(crate) fn end_look(&mut self) {
        if self.jobs.iter().all(|entry| entry.seen_at == self.looks) {
            return;
        }
        self.epoch += 1;
        self.jobs.retain(|entry| entry.seen_at == self.looks);
        self.places =
            self.jobs.iter().enumerate().map(|(place, entry)| (entry.name.clone(), place)).collect();
    }

    /// What a page has not heard, as JSON. `beside` are fields of the answer that are not about jobs.
    pub(crate) fn since(&self, known: Known, runs: &[Run], beside: serde_json::Value) -> String {
        let after = if known.epoch == Some(self.epoch) { known.after } else { 0 };
        let changed = self.jobs.iter().filter(|entry| entry.changed_at > after);
        let rows: Vec<&str> = changed.map(|entry| &*entry.row).collect();
        let mut told = json!({"epoch": self.epoch, "version": self.version, "runs": runs,
            "queues": self.rows.queues()});
        if let (Some(told), serde_json::Value::Object(beside)) = (told.as_object_mut(), beside) {
            told.extend(beside);
        }
        // Rows are JSON already.
        let told = told.to_string();
        let open = told.strip_suffix('}').unwrap_or_default();
        format!("{open},\"jobs\":[{}]}}", rows.join(","))
    }
}

fn print_of(job: &Job) -> Print {
    let latest = job.latest.as_ref().map(|latest| latest.updated_at);
    (job.status(), job.head.claims, job.head.updated_at, latest)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::example_job as job;

    const EPOCH: u64 = 40;

    fn look(news: &mut News, jobs: &[(&str, JobStatus)]) {
        news.begin_look();
        for (name, status) in jobs {
            let job = job(name, *status, "q");
            if news.has_changed(&job) {
                news.take_in(&job, &Beside::default());
            }
        }
        news.end_look();
    }

    /// The names told, and what the page then knows.
    fn told(news: &News, known: Known) -> (Vec<String>, Known) {
        let told = news.since(known, &[], json!({"nextLookMs": {"a": 1}}));
        let told: Value = serde_json::from_str(&told).expect(&told);
        assert_eq!(told["nextLookMs"]["a"], 1);
        let names = told["jobs"].as_array().unwrap().iter().map(|row| row[0].as_str().unwrap().to_owned());
        let (epoch, after) = (told["epoch"].as_u64(), told["version"].as_u64().unwrap());
        (names.collect(), Known { epoch, after })
    }

    #[test]
    fn a_page_hears_what_has_changed_and_all_of_it_where_jobs_are_gone() {
        use JobStatus::{Running, Succeeded};
        let mut news = News::new(EPOCH);
        look(&mut news, &[("a", Running), ("b", Running)]);
        let nothing = Known { epoch: None, after: 0 };
        let (all, known) = told(&news, nothing);
        assert_eq!(all, ["a", "b"]);

        look(&mut news, &[("a", Running), ("b", Succeeded), ("c", Running)]);
        let (changed, later) = told(&news, known);
        assert_eq!(changed, ["b", "c"]);
        look(&mut news, &[("a", Running), ("b", Succeeded), ("c", Running)]);
        assert!(told(&news, later).0.is_empty());
        assert_eq!(told(&news, known).0, ["b", "c"], "another page hears it too");
        assert_eq!(told(&news, Known { epoch: Some(7), after: 99 }).0.len(), 3, "a page of another console");

        look(&mut news, &[("b", Succeeded), ("c", Running)]);
        assert_eq!(told(&news, later).0, ["b", "c"]);
    }

    #[test]
    fn a_page_that_knows_nothing_asks_with_an_empty_epoch() {
        let read = |query: &str| {
            let uri: axum::http::Uri = format!("/data?{query}").parse().unwrap();
            axum::extract::Query::<Known>::try_from_uri(&uri).map(|query| query.0).ok()
        };
        assert_eq!(read("epoch=&after=0"), Some(Known { epoch: None, after: 0 }));
        assert_eq!(read("epoch=5&after=7"), Some(Known { epoch: Some(5), after: 7 }));
        assert_eq!(read(""), Some(Known { epoch: None, after: 0 }));
        assert_eq!(read("epoch=x"), None);
    }
}
