//! What is printed of each object.

use std::io::{self, BufWriter, Write};

use anyhow::Context;
use batchwright::objects;
use serde::Serialize;

use crate::args::Output;
use crate::exit::{Exit, Failure};
use crate::output::records::Records;
use crate::output::table;
use crate::output::text::harmless;

/// Prints results as they come; a table at the end.
pub(crate) struct Results {
    records: Records<Box<dyn Write>>,
    output: Output,
    rows: comfy_table::Table,
    all_well: bool,
    is_lines: bool,
}

/// Whether a result is well, and what it is in words, a line each.
pub(crate) type Told = (bool, Vec<String>);

#[derive(Serialize)]
struct Line<'a, T> {
    uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<objects::Failure>,
}

impl Results {
    pub(crate) fn new(output: Output) -> Self {
        Self::on(Box::new(BufWriter::new(io::stdout())), output)
    }

    /// For where standard output is the target.
    pub(crate) fn on_stderr(output: Output) -> Self {
        Self::on(Box::new(io::stderr()), output)
    }

    /// For results of any number: each is a line as soon as it is known.
    pub(crate) fn lines(output: Output) -> Self {
        Self { is_lines: true, ..Self::on(Box::new(io::stdout()), output) }
    }

    fn on(out: Box<dyn Write>, output: Output) -> Self {
        Self {
            is_lines: false,
            records: Records::new(out, output, "results"),
            output,
            rows: table::table(&["URI", "RESULT"]),
            all_well: true,
        }
    }

    /// Takes a result; `told` says what it is.
    pub(crate) fn push<T: Serialize>(
        &mut self,
        uri: &str,
        became: Result<T, objects::Failure>,
        told: impl FnOnce(&T) -> Told,
    ) -> Result<(), Failure> {
        let (is_well, words) = match &became {
            Ok(result) => told(result),
            Err(failure) => {
                // Its name stands before it already.
                let words = failure.message.strip_prefix(uri).and_then(|rest| rest.strip_prefix(": "));
                (false, vec![words.unwrap_or(&failure.message).to_owned()])
            }
        };
        self.all_well &= is_well;
        if self.output == Output::Table {
            let words: Vec<_> = words.iter().map(|words| harmless(words)).collect();
            let (uri, words) = (harmless(uri), words.join("\n"));
            if self.is_lines {
                return Ok(writeln!(self.records.out(), "{uri}: {words}").context("stdout")?);
            }
            self.rows.add_row([uri.into_owned(), words]);
            return Ok(());
        }
        let (result, error) = match became {
            Ok(result) => (Some(result), None),
            Err(failure) => (None, Some(failure)),
        };
        Ok(self.records.push(&Line { uri, result, error }).context("stdout")?)
    }

    /// Ends the output. Exit code 1 where something was not well.
    pub(crate) fn finish(mut self) -> Result<Exit, Failure> {
        match self.output {
            Output::Table if self.is_lines => {}
            Output::Table => {
                let out = self.records.out();
                writeln!(out, "{}", table::rendered_lines(self.rows))
                    .and_then(|()| out.flush())
                    .context("stdout")?;
            }
            _ => self.records.finish(&serde_json::Map::new()).context("stdout")?,
        }
        Ok(if self.all_well { Exit::Well } else { Exit::JobsFailed })
    }
}
