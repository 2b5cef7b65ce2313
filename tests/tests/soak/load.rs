//! What is asked of the deployment: job files, all of them from the seed.

use std::collections::BTreeSet;

use batchwright_tests::crash::scenario::{after, job};
use batchwright_tests::dice::Dice;
use serde_json::{Value, json};

/// Files that are uploaded within a minute.
pub(crate) const FILES: u64 = 5;

/// One upload.
pub(crate) struct File {
    pub(crate) key: String,
    /// A line a job, and one that Batch refuses.
    pub(crate) text: String,
    /// The jobs that no file before it holds.
    pub(crate) names: Vec<String>,
    /// How many seconds after the first upload of its wave it comes.
    pub(crate) at_seconds: u64,
    /// How many seconds after that its run is cancelled.
    pub(crate) cancelled_after: Option<u64>,
}

/// What is uploaded at about the same time.
pub(crate) struct Wave {
    pub(crate) files: Vec<File>,
    /// Jobs that stand in two files. The later run may run one again that has FAILED.
    pub(crate) repeated: BTreeSet<String>,
}

impl Wave {
    /// The wave of that number, of so many jobs and some that come twice.
    pub(crate) fn of(seed: u64, number: u64, jobs: u64) -> Self {
        let mut dice = Dice::new(seed, 100 + number);
        let (mut files, mut repeated): (Vec<File>, _) = (Vec::new(), BTreeSet::new());
        let mut lines_before: Vec<(String, String)> = Vec::new();
        for of_file in 0..FILES {
            let (mut names, mut lines) = (Vec::new(), Vec::new());
            for n in 0..jobs / FILES {
                let name = format!("w{number}-f{of_file}-{n}");
                lines.push((name.clone(), line(&mut dice, &name, &names).to_string()));
                names.push(name);
            }
            let is_cancelled = of_file + 1 == FILES;
            let own = lines.clone();
            if !is_cancelled {
                for (name, line) in lines_before.iter().filter(|_| dice.permille(20)) {
                    repeated.insert(name.clone());
                    lines.push((name.clone(), line.clone()));
                }
            }
            let mut text: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
            let mut refused = job(&format!("w{number}-f{of_file}-refused"));
            refused["containerOverrides"] = json!({});
            text.push_str(&format!("{refused}\n"));
            files.push(File {
                key: format!("jobs/w{number}-f{of_file}.jsonl"),
                text,
                names,
                at_seconds: dice.below(60),
                // While it is being submitted, at fifty jobs a second.
                cancelled_after: is_cancelled.then(|| 1 + dice.below(1 + jobs / FILES / 60)),
            });
            // One that depends on others would be submitted before them by a later file.
            lines_before = own.into_iter().filter(|(_, line)| !line.contains("dependsOn")).collect();
        }
        Self { files, repeated }
    }
}

fn line(dice: &mut Dice, name: &str, before: &[String]) -> Value {
    let mut line = match before.len() {
        0 => job(name),
        count if dice.permille(150) => {
            let back = dice.below(20.min(count as u64)) + 1;
            let at = count - usize::try_from(back).expect("less than there are");
            after(name, &before[at])
        }
        _ => job(name),
    };
    if dice.permille(30) {
        line["arrayProperties"] = json!({"size": 2 + dice.below(3)});
        line["resubmitChildren"] = json!(dice.permille(500));
    }
    if dice.permille(100) {
        line["retryStrategy"] = json!({"attempts": 2 + dice.below(2)});
    }
    if dice.permille(100) {
        line["retryOn"] = json!([{"cause": "EXIT_CODE", "maxTries": 2}]);
    }
    line
}
