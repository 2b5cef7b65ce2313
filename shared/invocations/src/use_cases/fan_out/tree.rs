//! A list that is split among copies of the fan-out.

use serde::{Deserialize, Serialize};

use super::FanOutError;
use super::place::RunPlace;
use super::take_up::total;
use crate::fan_out::limits::{BRANCH_ITEMS, BRANCHES_MAX};
use crate::fan_out::{Checkpoint, CheckpointState, Progress, Source};
use crate::ports::{CheckpointStore, ObjectStore, PortError};

/// How a list is split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// In the order of the list.
    pub branches: Vec<Branch>,
}

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// Its first item.
    pub first: u64,
    /// The one behind its last.
    pub end: u64,
    /// The most of it that are under way.
    pub ceiling: u32,
}

/// Splits a list, evenly; `None` where it is too short for that.
pub async fn plan_tree<O: ObjectStore>(
    objects: &O,
    source: &Source,
    ceiling: u32,
) -> Result<Option<Tree>, FanOutError> {
    Ok(split(total(objects, source).await?, ceiling))
}

fn split(total: u64, ceiling: u32) -> Option<Tree> {
    let count = total.div_ceil(BRANCH_ITEMS).min(BRANCHES_MAX).min(u64::from(ceiling));
    if count < 2 {
        return None;
    }
    let share = |whole: u64, n: u64| whole * n / count;
    let branch = |n| Branch {
        first: share(total, n),
        end: share(total, n + 1),
        ceiling: u32::try_from(share(ceiling.into(), n + 1) - share(ceiling.into(), n)).unwrap_or(1),
    };
    Some(Tree { branches: (0..count).map(branch).collect() })
}

impl Tree {
    /// How far each branch has come; `None` for one that has not begun.
    pub async fn checkpoints<O: CheckpointStore>(
        &self,
        objects: &O,
        place: &RunPlace,
    ) -> Result<Vec<Option<Checkpoint>>, PortError> {
        let mut found = Vec::new();
        for branch in 0..self.branches.len() as u64 {
            let key = place.branch(branch).checkpoint();
            let stored = objects.load(&key).await?;
            let checkpoint = stored.map(|stored| serde_json::from_slice(&stored.bytes)).transpose();
            let failed = |error| PortError::permanent("read a checkpoint", format!("{key}: {error}"));
            found.push(checkpoint.map_err(failed)?);
        }
        Ok(found)
    }

    /// All branches, where each of them is complete.
    pub fn complete(found: &[Option<Checkpoint>]) -> Option<Vec<Checkpoint>> {
        let complete =
            |found: &Option<Checkpoint>| found.clone().filter(|it| it.state == CheckpointState::Complete);
        found.iter().map(complete).collect()
    }

    /// What the branches came to, together.
    pub fn progress<'a>(found: impl IntoIterator<Item = &'a Checkpoint>) -> Progress {
        let mut sum = Progress::default();
        found.into_iter().for_each(|checkpoint| sum.merge(&checkpoint.progress));
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_list_is_not_split() {
        assert_eq!(split(5_000, 100), None);
        assert_eq!(split(1_000_000, 1), None);
        assert_eq!(split(5_001, 100).unwrap().branches.len(), 2);
        assert_eq!(split(10_000_000, 1_000).unwrap().branches.len(), 64);
    }

    proptest! {
        #[test]
        fn branches_cover_the_list_and_share_the_ceiling(total in 5_001u64..3_000_000, ceiling in 2u32..10_000) {
            let branches = split(total, ceiling).unwrap().branches;
            prop_assert_eq!((branches[0].first, branches[branches.len() - 1].end), (0, total));
            prop_assert!(branches.windows(2).all(|pair| pair[0].end == pair[1].first));
            prop_assert!(branches.iter().all(|branch| branch.first < branch.end && branch.ceiling > 0));
            prop_assert_eq!(branches.iter().map(|branch| branch.ceiling).sum::<u32>(), ceiling);
        }
    }
}
