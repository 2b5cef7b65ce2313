//! `batchwright dlq`.

use clap::ValueEnum as _;
use serde_json::json;

use super::confirm::{is_confirmed, somebody_can_answer};
use crate::args::{DlqCommand, DlqRedriveArgs, DlqRemoveArgs, Output};
use crate::exit::{Exit, Failure};
use crate::output::{human, table};
use crate::stack::dead_letters::{DeadLetterQueues, DeadLetters, Receiver, Redriven, Undelivered};

/// Characters of a message's body that a table shows.
const BODY_SHOWN: usize = 160;

pub(crate) async fn dlq(command: &DlqCommand) -> Result<Exit, Failure> {
    match command {
        DlqCommand::List(args) => {
            let queues = DeadLetterQueues::of(&args.stack.named()?).await;
            list(&queues, args.shown.output).await
        }
        DlqCommand::Show(args) => {
            let queues = DeadLetterQueues::of(&args.stack.named()?).await;
            show(&queues, args.queue, args.most, args.shown.output).await
        }
        DlqCommand::Redrive(args) => {
            let queues = DeadLetterQueues::of(&args.stack.named()?).await;
            redrive(&queues, args).await
        }
        DlqCommand::Remove(args) => {
            let queues = DeadLetterQueues::of(&args.stack.named()?).await;
            remove(&queues, args).await
        }
    }
}

/// How many messages wait in each; exit code 1 where one does.
async fn list(queues: &DeadLetterQueues, output: Output) -> Result<Exit, Failure> {
    let mut rows = table::table(&["QUEUE", "MESSAGES", "FOR"]);
    let mut found = Vec::new();
    let mut waiting = 0;
    for letters in DeadLetters::value_variants() {
        let count = queues.count(*letters).await?;
        let receiver = queues.receiver(*letters);
        rows.add_row([letters.word().to_owned(), count.to_string(), told(&receiver)]);
        found.push(json!({"queue": letters.word(), "messages": count, "for": receiver}));
        waiting += count;
    }
    if output == Output::Table {
        println!("{}", table::rendered(rows));
    } else {
        println!("{}", json!({"queues": found}));
    }
    Ok(if waiting > 0 { Exit::JobsFailed } else { Exit::Well })
}

async fn show(
    queues: &DeadLetterQueues,
    letters: DeadLetters,
    most: usize,
    output: Output,
) -> Result<Exit, Failure> {
    let messages = queues.look(letters, most).await?;
    match output {
        Output::Table if messages.is_empty() => match queues.count(letters).await? {
            0 => println!("no message waits"),
            hidden => println!("{}", told_hidden(hidden)),
        },
        Output::Table => {
            let mut rows = table::table(&["ID", "SENT", "WHY", "MESSAGE"]);
            for message in messages {
                let sent = message.sent_at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
                let sent = sent.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"));
                let body: String = message.body.chars().take(BODY_SHOWN).collect();
                rows.add_row([message.message_id, sent, message.why.unwrap_or_else(|| "-".to_owned()), body]);
            }
            println!("{}", table::rendered(rows));
        }
        Output::Json => println!("{}", json!({"queue": letters.word(), "messages": messages})),
        Output::Ndjson => messages.iter().for_each(|message| println!("{}", json!(message))),
    }
    Ok(Exit::Well)
}

async fn redrive(queues: &DeadLetterQueues, args: &DlqRedriveArgs) -> Result<Exit, Failure> {
    let (letters, most) = (args.queue, args.most);
    let receiver = queues.receiver(letters);
    if !args.yes {
        somebody_can_answer("redrive")?;
        let waiting = queues.count(letters).await?;
        let count = human::count(most.unwrap_or(waiting).min(waiting), "message");
        if !is_confirmed(&format!("deliver about {count} to {}", told(&receiver)))? {
            return Ok(Exit::Well);
        }
    }
    let redriven = queues
        .redrive(letters, most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX)))
        .await?;
    let Redriven { delivered, undelivered } = &redriven;
    if args.shown.output == Output::Table {
        println!("{} delivered to {}", human::count(*delivered as u64, "message"), told(&receiver));
    } else {
        println!("{}", json!({"delivered": delivered, "undelivered": undelivered, "to": receiver}));
    }
    for Undelivered { message_id, why } in undelivered {
        eprintln!("batchwright: the message {message_id} can't be delivered: {why}");
    }
    if !undelivered.is_empty() {
        eprintln!(
            "batchwright: {} left in the queue; mend the cause, or remove what never can be delivered: `batchwright dlq remove {} ID`",
            human::count(undelivered.len() as u64, "message"),
            letters.word()
        );
        return Ok(Exit::JobsFailed);
    }
    if *delivered == 0 {
        let hidden = queues.count(letters).await?;
        if hidden > 0 {
            eprintln!("batchwright: {}", told_hidden(hidden));
        }
    }
    Ok(Exit::Well)
}

/// Deletes messages; exit code 1 where one was not found.
async fn remove(queues: &DeadLetterQueues, args: &DlqRemoveArgs) -> Result<Exit, Failure> {
    if !args.yes {
        somebody_can_answer("dlq remove")?;
        let count = human::count(args.ids.len() as u64, "message");
        let letters = args.queue.word();
        if !is_confirmed(&format!("delete {count} of {letters}, which nobody will be given again"))? {
            return Ok(Exit::Well);
        }
    }
    let removed = queues.remove(args.queue, &args.ids).await?;
    if args.shown.output == Output::Table {
        println!("{} removed", human::count(removed.removed.len() as u64, "message"));
    } else {
        println!("{}", json!(removed));
    }
    for id in &removed.not_found {
        eprintln!(
            "batchwright: no message {id} can be seen in the queue; `batchwright dlq show {}` shows their ids, and one that \
             somebody looks at comes back within a minute",
            args.queue.word()
        );
    }
    Ok(if removed.not_found.is_empty() { Exit::Well } else { Exit::JobsFailed })
}

fn told_hidden(hidden: u64) -> String {
    let count = human::count(hidden, "message");
    format!(
        "about {count} wait, and none can be seen: somebody looks at them or delivers them; ask again in a minute"
    )
}

fn told(receiver: &Receiver) -> String {
    match receiver {
        Receiver::Queue(name) => format!("the queue {name}"),
        Receiver::Function(name) => format!("the function {name}"),
    }
}
