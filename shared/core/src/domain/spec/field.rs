//! The fields of a job, each once.
//!
//! Four places must agree on them: [`JobSpec`], the schema of job files, the call of `SubmitJob`, and the wire
//! protocol, which takes no field of ours. So they are written down in one table, and the compiler keeps the four
//! together: the table and the spec name the same members, or this file does not compile; the schema and the call
//! treat every field, or they do not compile.

use super::JobSpec;

macro_rules! job_fields {
    (
        submit_job { $($theirs:ident = $their_name:literal in $their_member:ident,)* }
        ours { $($ours:ident = $our_name:literal in $our_member:ident,)* }
        short_forms { $($short:ident = $short_name:literal,)* }
        in_no_file { $($hidden:ident,)* }
    ) => {
        /// A field of a job, as a job file may give it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names are the fields' own")]
        pub enum JobField {
            $($theirs,)*
            $($ours,)*
            $($short,)*
        }

        impl JobField {
            /// Every field, those of `SubmitJob` first.
            pub const ALL: &[Self] = &[$(Self::$theirs,)* $(Self::$ours,)* $(Self::$short,)*];

            /// Its name in a job file, which is `SubmitJob`'s where Batch has the field.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$theirs => $their_name,)*
                    $(Self::$ours => $our_name,)*
                    $(Self::$short => $short_name,)*
                }
            }

            /// Whether it is a member of `SubmitJob`. The others are ours, and Batch is told none of them.
            pub const fn is_of_submit_job(self) -> bool {
                matches!(self, $(Self::$theirs)|*)
            }
        }

        // Without `..`: a member of the spec that the table lacks does not compile, nor one that the spec lacks.
        const _: fn(JobSpec) = |spec| {
            let JobSpec { $($their_member: _,)* $($our_member: _,)* $($hidden: _,)* } = spec;
        };

        #[cfg(test)]
        const MEMBERS: &[(&str, &str)] =
            &[$(($their_name, stringify!($their_member)),)* $(($our_name, stringify!($our_member)),)*];
    };
}

job_fields! {
    submit_job {
        JobName = "jobName" in job_name,
        JobQueue = "jobQueue" in job_queue,
        JobDefinition = "jobDefinition" in job_definition,
        ShareIdentifier = "shareIdentifier" in share_identifier,
        SchedulingPriorityOverride = "schedulingPriorityOverride" in scheduling_priority_override,
        ArrayProperties = "arrayProperties" in array_properties,
        DependsOn = "dependsOn" in depends_on,
        Parameters = "parameters" in parameters,
        ContainerOverrides = "containerOverrides" in container_overrides,
        NodeOverrides = "nodeOverrides" in node_overrides,
        RetryStrategy = "retryStrategy" in retry_strategy,
        PropagateTags = "propagateTags" in propagate_tags,
        Timeout = "timeout" in timeout,
        Tags = "tags" in tags,
        EksPropertiesOverride = "eksPropertiesOverride" in eks_properties_override,
        EcsPropertiesOverride = "ecsPropertiesOverride" in ecs_properties_override,
        ConsumableResourcePropertiesOverride = "consumableResourcePropertiesOverride"
            in consumable_resource_properties_override,
    }
    ours {
        MaxTries = "maxTries" in max_tries,
        FallbackQueue = "fallbackQueue" in fallback_queue,
        RetryOn = "retryOn" in retry_on,
        ResubmitChildren = "resubmitChildren" in resubmit_children,
        Sealed = "sealed" in sealed,
    }
    short_forms {
        Command = "command",
    }
    in_no_file {
        seal, child_of,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    /// A spec in which every member is given.
    fn whole() -> JobSpec {
        serde_json::from_value(json!({
            "jobName": "a", "jobQueue": "q", "jobDefinition": "d", "shareIdentifier": "s",
            "schedulingPriorityOverride": 1, "arrayProperties": {"size": 2}, "dependsOn": [{"jobId": "x"}],
            "parameters": {"p": "v"}, "containerOverrides": {}, "nodeOverrides": {}, "retryStrategy": {},
            "propagateTags": true, "timeout": {}, "tags": {"t": "v"}, "eksPropertiesOverride": {},
            "ecsPropertiesOverride": {}, "consumableResourcePropertiesOverride": {}, "maxTries": 2,
            "fallbackQueue": {"jobQueue": "r"}, "retryOn": ["TIMEOUT"], "resubmitChildren": true,
            "sealed": true
        }))
        .unwrap()
    }

    fn keys(spec: &JobSpec) -> BTreeSet<String> {
        let Value::Object(members) = serde_json::to_value(spec).unwrap() else { panic!("no object") };
        members.into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn a_field_is_named_as_its_member_is_written() {
        let named: BTreeSet<String> = MEMBERS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(keys(&whole()), named);
        for (name, member) in MEMBERS {
            let mut words = member.split('_');
            let first = words.next().unwrap().to_owned();
            let camel = words.fold(first, |camel, word| camel + &word[..1].to_uppercase() + &word[1..]);
            assert_eq!(camel, *name);
        }
    }

    #[test]
    fn batch_is_told_the_fields_of_submit_job_alone() {
        let told = keys(&whole().for_batch());
        for field in JobField::ALL.iter().filter(|field| **field != JobField::MaxTries) {
            assert_eq!(told.contains(field.name()), field.is_of_submit_job(), "{}", field.name());
        }
    }
}
