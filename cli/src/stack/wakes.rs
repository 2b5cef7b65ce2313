//! What wakes a stack's functions, and what can switch it off: rules, event sources, reserved concurrency, and whether the
//! bucket tells of its uploads. Without them the functions are `Active` and nothing happens.

use aws_sdk_eventbridge::types::RuleState;

use super::{FUNCTIONS, Stack, in_one_line};

/// The rules of every stack: each is named `<Name>-<rule>`.
const RULES: [&str; 4] = ["uploads", "states", "ends", "reconcile"];

/// The functions that queues wake, which a mapping of Lambda's reads for them.
const READERS: [&str; 2] = ["state-handler", "log-collector"];

impl Stack {
    /// That each rule is there and ENABLED.
    pub(crate) async fn rules(&self, name: &str) -> Result<String, String> {
        let mut found = Vec::new();
        for rule in RULES {
            let rule = format!("{name}-{rule}");
            let state = self.events.describe_rule().name(&rule).send().await;
            let state = state.map(|rule| rule.state.unwrap_or(RuleState::Enabled));
            found.push((
                rule,
                state.map(|state| state.as_str().to_owned()).map_err(|error| in_one_line(&error)),
            ));
        }
        // ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS is more of the same.
        all(&found, |state| state.starts_with("ENABLED"), "ENABLED")
    }

    /// That the queues of state changes and of ends are read.
    pub(crate) async fn event_sources(&self, name: &str) -> Result<String, String> {
        let mut found = Vec::new();
        for function in READERS {
            let function = format!("{name}-{function}");
            let call = self.lambda.list_event_source_mappings().function_name(&function).send().await;
            let states = call.map_err(|error| in_one_line(&error)).map(|mappings| {
                let states = mappings.event_source_mappings().iter().filter_map(|mapping| mapping.state());
                states.map(ToOwned::to_owned).collect::<Vec<_>>()
            });
            match states {
                Ok(states) if states.is_empty() => found.push((function, Err("no event source".to_owned()))),
                Ok(states) => found.extend(states.into_iter().map(|state| (function.clone(), Ok(state)))),
                Err(why) => found.push((function, Err(why))),
            }
        }
        // Creating, Enabling, Updating: it is read soon.
        all(&found, |state| !matches!(state, "Disabled" | "Disabling" | "Deleting"), "enabled")
    }

    /// That no function is kept from running by a reserved concurrency of 0.
    pub(crate) async fn reserved_concurrency(&self, name: &str) -> Result<String, String> {
        let mut found = Vec::new();
        for function in FUNCTIONS {
            let function = format!("{name}-{function}");
            let call = self.lambda.get_function_concurrency().function_name(&function).send().await;
            let reserved = call.map_err(|error| in_one_line(&error)).map(|found| {
                found
                    .reserved_concurrent_executions()
                    .map_or_else(|| "none".to_owned(), |count| count.to_string())
            });
            found.push((function, reserved));
        }
        all(&found, |reserved| reserved != "0", "free to run")
    }

    /// That the bucket tells EventBridge of its uploads, whose rule wakes the submitter.
    pub(crate) async fn uploads_are_told(&self) -> Result<String, String> {
        let call = self.s3.get_bucket_notification_configuration().bucket(&self.bucket_name);
        let told = call.send().await.map_err(|error| in_one_line(&error))?;
        match told.event_bridge_configuration() {
            Some(_) => Ok("told to EventBridge".to_owned()),
            None => Err(format!("{} does not tell EventBridge", self.bucket_name)),
        }
    }
}

/// How many there are where all is well; else those that are not, each with its state or why that is not known.
fn all(
    found: &[(String, Result<String, String>)],
    is_well: impl Fn(&str) -> bool,
    well: &str,
) -> Result<String, String> {
    let unwell: Vec<String> = found
        .iter()
        .filter_map(|(name, state)| match state {
            Ok(state) if is_well(state) => None,
            Ok(state) | Err(state) => Some(format!("{name}: {state}")),
        })
        .collect();
    if unwell.is_empty() { Ok(format!("{} {well}", found.len())) } else { Err(unwell.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_well_is_named_and_the_rest_is_counted() {
        let of = |states: &[Result<&str, &str>]| {
            let found: Vec<_> = (0..)
                .zip(states)
                .map(|(n, state)| (format!("s-{n}"), state.map(str::to_owned).map_err(str::to_owned)))
                .collect();
            all(&found, |state| state == "ENABLED", "ENABLED")
        };
        for (states, expected) in [
            (&[Ok("ENABLED"), Ok("ENABLED")][..], Ok("2 ENABLED")),
            (&[Ok("ENABLED"), Ok("DISABLED")], Err("s-1: DISABLED")),
            (&[Err("AccessDenied: no"), Ok("DISABLED")], Err("s-0: AccessDenied: no, s-1: DISABLED")),
        ] {
            assert_eq!(of(states), expected.map(str::to_owned).map_err(str::to_owned));
        }
    }
}
