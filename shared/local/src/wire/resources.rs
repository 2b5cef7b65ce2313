//! What clients have registered and created: what is kept beside the engine's books.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::{JobDefinition, LogStream};
use crate::engine::arn::{COMPUTE_ENVIRONMENT, definition_name, resource_name};

/// The file in the state folder.
const FILE: &str = "wire.json";

/// What clients have registered and created, each by its name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Resources {
    /// Each with its revisions, oldest first.
    pub(super) definitions: BTreeMap<String, Vec<Revision>>,
    pub(super) queues: BTreeMap<String, Switched>,
    pub(super) compute_environments: BTreeMap<String, Switched>,
    /// As they were created and updated.
    pub(super) scheduling_policies: BTreeMap<String, Map<String, Value>>,
    /// Tags of jobs that were changed after their submission, by job id.
    pub(super) job_tags: BTreeMap<String, Map<String, Value>>,
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

/// A job queue or a compute environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Switched {
    /// ENABLED.
    pub(super) enabled: bool,
    /// As it was created and updated.
    pub(super) created: Map<String, Value>,
}

impl Switched {
    /// One that is there because it was named.
    pub(super) fn implied() -> Self {
        Self { enabled: true, created: Map::new() }
    }
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
        match self.revision(job_definition) {
            Some(revision) if revision.active => Ok(wanted.to_owned()),
            Some(_) => Err(format!("job definition {wanted} is INACTIVE; register it again")),
            None => {
                let latest = revisions.last().map_or(0, |latest| latest.revision);
                Err(format!("job definition {wanted} does not exist; the latest is {name}:{latest}"))
            }
        }
    }

    /// The revision of a name with its number, or of an ARN.
    pub(super) fn revision(&self, job_definition: &str) -> Option<&Revision> {
        let wanted = resource_name(job_definition);
        let mut revisions = self.definitions.get(definition_name(wanted))?.iter();
        revisions.find(|revision| revision.definition.job_definition_name == wanted)
    }

    /// Whether jobs may be submitted to a queue. Where `any_queue`, also to one that nobody created.
    pub(super) fn admit(
        &self,
        job_queue: &str,
        share_identifier: Option<&str>,
        any_queue: bool,
    ) -> Result<(), String> {
        let name = resource_name(job_queue);
        let queue = match self.queues.get(name) {
            Some(queue) if queue.enabled => queue,
            Some(_) => return Err(format!("job queue {name} is DISABLED; update it to ENABLED")),
            None if any_queue => return Ok(()),
            None => {
                return Err(format!("job queue {name} does not exist; create it, or give it with --queue"));
            }
        };
        match (queue.created.contains_key("schedulingPolicyArn"), share_identifier) {
            (true, None) => {
                Err(format!("shareIdentifier: is missing, and job queue {name} has a scheduling policy"))
            }
            (false, Some(_)) if !queue.created.is_empty() => {
                Err(format!("shareIdentifier: is given, and job queue {name} has no scheduling policy"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a compute environment is there, by name or ARN.
    pub(super) fn has_environment(&self, environment: &str) -> bool {
        let name = resource_name(environment);
        name == COMPUTE_ENVIRONMENT || self.compute_environments.contains_key(name)
    }

    /// The log groups that job definitions name, beside the one that Batch writes to by itself.
    pub(super) fn log_groups(&self) -> impl Iterator<Item = &str> {
        self.definitions.values().flatten().filter_map(|revision| log_group(&revision.definition))
    }

    /// Whether a log stream is of a group. A stream's name begins with that of its job definition, whose revisions
    /// say which groups they write to.
    pub(super) fn is_in_group(&self, stream: &str, group: &str) -> bool {
        let definition = stream.split('/').next().unwrap_or_default();
        match self.definitions.get(definition) {
            Some(revisions) => revisions
                .iter()
                .any(|revision| log_group(&revision.definition).unwrap_or(LogStream::DEFAULT_GROUP) == group),
            None => group == LogStream::DEFAULT_GROUP,
        }
    }
}

fn log_group(definition: &JobDefinition) -> Option<&str> {
    definition.log_configuration()?.get("options")?.get("awslogs-group")?.as_str()
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
    use serde_json::json;

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
    fn a_queue_admits_what_its_state_and_its_policy_allow() {
        let queue =
            |enabled, created: Value| Switched { enabled, created: created.as_object().unwrap().clone() };
        let queues = BTreeMap::from([
            ("on".into(), queue(true, json!({"priority": 1}))),
            ("off".into(), queue(false, json!({}))),
            ("given".into(), Switched::implied()),
            ("fair".into(), queue(true, json!({"schedulingPolicyArn": "x"}))),
        ]);
        let resources = Resources { queues, ..Default::default() };
        for (name, share, any, admitted) in [
            ("on", None, false, true),
            ("arn:aws:batch:local:000000000000:job-queue/on", None, false, true),
            ("off", None, true, false),
            ("new", None, false, false),
            ("new", Some("s"), true, true),
            ("on", Some("s"), false, false),
            ("fair", None, false, false),
            ("fair", Some("s"), false, true),
            ("given", Some("s"), false, true),
        ] {
            assert_eq!(resources.admit(name, share, any).is_ok(), admitted, "{name} {share:?} {any}");
        }
    }

    #[test]
    fn a_stream_is_in_the_groups_that_its_definition_writes_to() {
        let mut named = revision(1, true);
        let configuration = json!({"logDriver": "awslogs", "options": {"awslogs-group": "/my/group"}});
        named.definition.container_properties.insert("logConfiguration".into(), configuration);
        let definitions = BTreeMap::from([
            ("hello".to_owned(), vec![named]),
            ("plain".to_owned(), vec![revision(1, true)]),
        ]);
        let resources = Resources { definitions, ..Default::default() };
        assert_eq!(resources.log_groups().collect::<Vec<_>>(), ["/my/group"]);
        for (stream, group, expected) in [
            ("hello/default/1", "/my/group", true),
            ("hello/default/1", LogStream::DEFAULT_GROUP, false),
            ("plain/default/1", LogStream::DEFAULT_GROUP, true),
            ("unknown/default/1", LogStream::DEFAULT_GROUP, true),
            ("unknown/default/1", "/my/group", false),
        ] {
            assert_eq!(resources.is_in_group(stream, group), expected, "{stream} {group}");
        }
    }

    #[tokio::test]
    async fn resources_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        let mut held = shelf.lock().await;
        let mut new = held.clone();
        new.definitions.insert("hello".into(), vec![revision(1, true)]);
        new.queues.insert("q".into(), Switched::implied());
        shelf.replace(&mut held, new.clone()).await.unwrap();
        assert_eq!(*held, new);
        assert_eq!(*Shelf::open(folder.path()).unwrap().lock().await, new);
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Shelf::open(folder.path()).is_err());
    }
}
