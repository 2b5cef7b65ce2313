//! What is wrong with a job file, and where.

use std::fmt;

/// How many problems an error shows.
const SHOWN: usize = 20;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, where the file has lines to point at.
    pub line: Option<u64>,
    /// The path of the field, as in `jobs[3].containerOverrides.vcpu`.
    pub field: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// Of the file as a whole.
    pub(super) fn of_file(message: impl Into<String>) -> Self {
        Self { line: None, field: None, message: message.into() }
    }

    /// Of a line.
    pub(super) fn at_line(line: u64, message: impl Into<String>) -> Self {
        Self { line: Some(line), field: None, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// A job file that is refused, with everything that is wrong with it. Displays the first 20.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct JobFileError {
    /// The file's name as it was given.
    pub file: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl JobFileError {
    pub(super) fn new(file: &str, problems: Vec<Problem>) -> Self {
        Self { file: file.to_owned(), problems }
    }
}

impl fmt::Display for JobFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = self.problems.as_slice() {
            return write!(f, "{}: {problem}", self.file);
        }
        write!(f, "{}: {} problems", self.file, self.problems.len())?;
        for problem in self.problems.iter().take(SHOWN) {
            write!(f, "\n  {problem}")?;
        }
        match self.problems.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => write!(f, "\n  and {more} more"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_problems_are_shown_and_the_rest_counted() {
        let problems = (1..=23).map(|line| Problem::at_line(line, "wrong")).collect();
        let text = JobFileError::new("a.json", problems).to_string();
        assert!(text.starts_with("a.json: 23 problems\n  line 1: wrong\n"), "{text}");
        assert!(text.ends_with("\n  line 20: wrong\n  and 3 more"), "{text}");
    }
}
