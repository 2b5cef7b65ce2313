//! Tables for people.

use std::borrow::Cow;

use batchwright::domain::JobStatus;
use comfy_table::{Table, presets};

use super::human;
use super::job_view::JobView;
use super::text::{harmless, harmless_lines};

/// Rows of a table beyond which only the jobs that did not succeed are shown.
pub(crate) const ROWS_MAX: usize = 40;

/// Causes of earlier tries that a row shows: the latest.
const CAUSES_MAX: usize = 3;

/// A table with the given headings.
pub(crate) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings.to_vec());
    table
}

/// Jobs with their status, exit code, tries, waiting and running time, and why they failed.
pub(crate) fn jobs(views: &[JobView]) -> Table {
    let mut table = table(&["JOB", "STATUS", "EXIT", "TRIES", "WAITED", "RAN", "WHY"]);
    for view in views {
        table.add_row([name(view)].into_iter().chain(cells(view)));
    }
    table
}

/// As [`jobs`], with the ids by which submissions, children and nodes are told apart.
pub(crate) fn submissions(views: &[JobView]) -> Table {
    let mut table = table(&["JOB", "JOB ID", "STATUS", "EXIT", "TRIES", "WAITED", "RAN", "WHY"]);
    for view in views {
        let job_id = view.job_id.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        table.add_row([name(view), job_id].into_iter().chain(cells(view)));
    }
    table
}

fn cells(view: &JobView) -> [String; 6] {
    let none = || "-".to_owned();
    [
        status(view),
        view.exit_code.map_or_else(none, |code| code.to_string()),
        tries(view),
        view.waited_ms.map_or_else(none, human::duration),
        view.ran_ms.map_or_else(none, human::duration),
        view.why(),
    ]
}

/// An array that has not ended shows how far its children have come, as in `PENDING 3/12`.
fn status(view: &JobView) -> String {
    let Some(status) = view.status else { return "-".to_owned() };
    match view.children.as_ref().filter(|_| !status.is_terminal()) {
        Some(children) => {
            let ended = children.counts[JobStatus::Succeeded] + children.counts[JobStatus::Failed];
            format!("{status} {ended}/{}", children.size)
        }
        None => status.to_string(),
    }
}

/// A child shows its index.
fn name(view: &JobView) -> String {
    match view.job_id.as_ref().and_then(batchwright::domain::JobId::array_index) {
        Some(index) => format!("{}:{index}", view.job_name),
        None => view.job_name.to_string(),
    }
}

/// Submissions, why those ended that were followed by another, and Batch's own attempts where there were
/// several: as in `3 (HOST_LOST, TIMEOUT)`. One submission has the number of its try, as in `#2`.
fn tries(view: &JobView) -> String {
    let replaced = view.tries.len().saturating_sub(1);
    let causes = view.tries[..replaced].iter().filter_map(|earlier| earlier.cause);
    let mut notes: Vec<String> = causes.map(|cause| cause.to_string()).collect();
    if notes.len() > CAUSES_MAX {
        notes.drain(..notes.len() - CAUSES_MAX);
        notes.insert(0, "…".to_owned());
    }
    if view.attempts > 1 {
        notes.push(format!("{} attempts", view.attempts));
    }
    let submissions = u64::from(view.earlier_tries) + view.job_tries.len() as u64;
    let number = view.of_try.map_or_else(|| submissions.to_string(), |number| format!("#{number}"));
    if notes.is_empty() { number } else { format!("{number} ({})", notes.join(", ")) }
}

/// The table as text, two blanks between its columns and none at the ends of its lines. What its cells hold comes
/// from others, and is shown harmless.
pub(crate) fn rendered(table: Table) -> String {
    shown(table, harmless)
}

/// As [`rendered`], but a cell of several lines keeps them: for cells whose lines were made harmless one by one.
pub(crate) fn rendered_lines(table: Table) -> String {
    shown(table, harmless_lines)
}

fn shown(table: Table, harmless: impl Fn(&str) -> Cow<'_, str>) -> String {
    let mut shown = Table::new();
    shown.load_style(presets::NOTHING);
    if let Some(header) = table.header() {
        shown.set_header(header.clone());
    }
    for row in table.row_iter() {
        shown.add_row(row.cell_iter().map(|cell| harmless(&cell.content()).into_owned()));
    }
    shown.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    shown.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_shown_harmless_each_on_its_line() {
        let mut rows = table(&["JOB", "WHY"]);
        rows.add_row(["a", "\u{1b}[2Jdone\nfake  SUCCEEDED"]);
        rows.add_row(["b", "\u{202e}x"]);
        let text = rendered(rows);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines, ["JOB  WHY", "a    \\u{1b}[2Jdone\\nfake  SUCCEEDED", "b    \\u{202e}x"]);
    }
}
