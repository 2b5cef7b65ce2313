//! Job definitions with their revisions and job queues: what is kept beside the engine's books.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::JobDefinition;
use crate::engine::arn::{definition_name, resource_name};

/// The file in the state folder.
const FILE: &str = "wire.json";

/// What clients have registered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Resources {
    /// By name, each with its revisions, oldest first.
    pub(super) definitions: BTreeMap<String, Vec<Revision>>,
    /// By name.
    pub(super) queues: BTreeMap<String, Queue>,
}

/// One revision of a job definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Revision {
    /// From 1.
    pub(super) revision: u32,
    /// Jobs may be submitted with it.
    pub(super) active: bool,
    /// What the engine makes of it; its name ends in the revision.
    pub(super) definition: JobDefinition,
    /// As it was registered, also what the engine does not read.
    pub(super) registered: Map<String, Value>,
}

/// A job queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Queue {
    /// Jobs may be submitted to it.
    pub(super) enabled: bool,
    /// As it was created and updated.
    pub(super) created: Map<String, Value>,
}

impl Resources {
    /// What a job's `jobDefinition` means: the name and revision, or the text as it is where nothing of
    /// that name was ever registered.
    ///
    /// Errs where the revision is not there, or may not be used any more.
    pub(super) fn resolve(&self, job_definition: &str) -> Result<String, String> {
        let name = definition_name(job_definition);
        let Some(revisions) = self.definitions.get(name) else { return Ok(job_definition.to_owned()) };
        let wanted = resource_name(job_definition);
        if wanted == name {
            let latest = revisions.iter().rfind(|revision| revision.active);
            let latest = latest.ok_or_else(|| format!("job definition {name} has no ACTIVE revision"))?;
            return Ok(latest.definition.job_definition_name.clone());
        }
        let found = revisions.iter().find(|revision| revision.definition.job_definition_name == wanted);
        match found {
            Some(revision) if revision.active => Ok(wanted.to_owned()),
            Some(_) => Err(format!("job definition {wanted} is INACTIVE; register it again")),
            None => Err(format!(
                "job definition {wanted} does not exist; the latest is {name}:{}",
                revisions.len()
            )),
        }
    }

    /// Whether jobs may be submitted to a queue. Where `any_queue`, also to one that nobody created.
    pub(super) fn admit(&self, job_queue: &str, any_queue: bool) -> Result<(), String> {
        let name = resource_name(job_queue);
        match self.queues.get(name) {
            Some(queue) if queue.enabled => Ok(()),
            Some(_) => Err(format!("job queue {name} is DISABLED; update it to ENABLED")),
            None if any_queue => Ok(()),
            None => Err(format!("job queue {name} does not exist; create it, or give it with --queue")),
        }
    }
}

/// The resources and the file that they are kept in.
pub(super) struct Shelf {
    path: PathBuf,
    held: Mutex<Resources>,
}

impl Shelf {
    /// Reads what a state folder holds; nothing where it holds none.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        let held = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Resources::default(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, held: Mutex::new(held) })
    }

    /// The resources, for as long as the guard lives.
    pub(super) async fn lock(&self) -> MutexGuard<'_, Resources> {
        self.held.lock().await
    }

    /// Puts new resources in the place of those held: in the file first, whole or not at all.
    pub(super) async fn replace(&self, held: &mut Resources, new: Resources) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(&new)?;
        let unfinished = self.path.with_extension("json.new");
        tokio::fs::write(&unfinished, bytes).await?;
        tokio::fs::rename(&unfinished, &self.path).await?;
        *held = new;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(revision: u32, active: bool) -> Revision {
        let definition =
            JobDefinition { job_definition_name: format!("hello:{revision}"), ..Default::default() };
        Revision { revision, active, definition, registered: Map::new() }
    }

    #[test]
    fn a_definition_is_the_latest_active_revision_or_the_one_that_is_named() {
        let revisions = vec![revision(1, true), revision(2, true), revision(3, false)];
        let resources =
            Resources { definitions: BTreeMap::from([("hello".into(), revisions)]), ..Default::default() };
        const ARN: &str = "arn:aws:batch:local:000000000000:job-definition/hello";
        for (named, expected) in [
            ("hello", Ok("hello:2")),
            ("hello:1", Ok("hello:1")),
            (&format!("{ARN}:1"), Ok("hello:1")),
            (ARN, Ok("hello:2")),
            ("hello:3", Err("job definition hello:3 is INACTIVE; register it again")),
            ("hello:4", Err("job definition hello:4 does not exist; the latest is hello:3")),
            ("other:7", Ok("other:7")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(resources.resolve(named), expected, "{named}");
        }
        let gone = Resources {
            definitions: BTreeMap::from([("hello".into(), vec![revision(1, false)])]),
            ..Default::default()
        };
        assert_eq!(gone.resolve("hello"), Err("job definition hello has no ACTIVE revision".into()));
    }

    #[test]
    fn a_disabled_queue_is_refused_and_an_unknown_one_unless_any_will_do() {
        let queue = |enabled| Queue { enabled, created: Map::new() };
        let queues = BTreeMap::from([("on".into(), queue(true)), ("off".into(), queue(false))]);
        let resources = Resources { queues, ..Default::default() };
        for (name, any, admitted) in [
            ("on", false, true),
            ("arn:aws:batch:local:000000000000:job-queue/on", false, true),
            ("off", true, false),
            ("new", false, false),
            ("new", true, true),
        ] {
            assert_eq!(resources.admit(name, any).is_ok(), admitted, "{name} {any}");
        }
    }

    #[tokio::test]
    async fn resources_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        let mut new = Resources::default();
        new.definitions.insert("hello".into(), vec![revision(1, true)]);
        let mut held = shelf.lock().await;
        shelf.replace(&mut held, new.clone()).await.unwrap();
        assert_eq!(*Shelf::open(folder.path()).unwrap().lock().await, new);
    }
}
