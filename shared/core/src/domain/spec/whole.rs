//! A spec in which no field of `SubmitJob`'s is absent, for the test that sends it.
//!
//! Every struct is taken apart without `..`, so a field that is added does not compile until it stands in `whole.json`; and
//! what stands there must be sent.

use serde::Serialize;
use serde_json::{Value, json};

use super::*;

macro_rules! whole {
    ($value:expr, $type:ident { $($field:ident $(: $ours:pat)?),+ $(,)? }) => {
        let $type { $($field $(: $ours)?),+ } = $value;
        whole!(@each $type $($field $(: $ours)?),+);
    };
    (@each $type:ident $($field:ident $(: $ours:pat)?),+) => {
        $(whole!(@one $type $field $($ours)?);)+
    };
    (@one $type:ident $field:ident) => {
        assert!(!is_absent($field), "{}.{} is absent from whole.json", stringify!($type), stringify!($field));
    };
    (@one $type:ident $field:ident $ours:pat) => {};
}

fn is_absent(field: &impl Serialize) -> bool {
    let field = serde_json::to_value(field).unwrap();
    [Value::Null, json!([]), json!({})].contains(&field)
}

#[test]
fn no_field_of_submit_job_is_absent() {
    let spec: JobSpec = serde_json::from_str(include_str!("whole.json")).unwrap();
    whole!(
        &spec,
        JobSpec {
            job_name,
            job_queue,
            job_definition,
            share_identifier,
            scheduling_priority_override,
            array_properties,
            depends_on,
            parameters,
            container_overrides,
            node_overrides,
            retry_strategy,
            propagate_tags,
            timeout,
            tags,
            eks_properties_override,
            ecs_properties_override,
            consumable_resource_properties_override,
            max_tries: _,
            fallback_queue: _,
            retry_on: _,
            resubmit_children: _,
            sealed: _,
            seal: _,
            child_of: _
        }
    );
    whole!(spec.array_properties.as_ref().unwrap(), ArrayProperties { size });
    whole!(&spec.depends_on[0], Dependency { job_id, job_name: _, kind });
    whole!(spec.retry_strategy.as_ref().unwrap(), RetryStrategy { attempts, evaluate_on_exit });
    whole!(
        &spec.retry_strategy.as_ref().unwrap().evaluate_on_exit[0],
        EvaluateOnExit { on_status_reason, on_reason, on_exit_code, action }
    );
    whole!(spec.timeout.as_ref().unwrap(), JobTimeout { attempt_duration_seconds });
    let consumables = spec.consumable_resource_properties_override.as_ref().unwrap();
    whole!(consumables, ConsumableResourceProperties { consumable_resource_list });
    whole!(
        &consumables.consumable_resource_list[0],
        ConsumableResourceRequirement { consumable_resource, quantity }
    );
    let container = spec.container_overrides.as_ref().unwrap();
    whole!(
        container,
        ContainerOverrides { vcpus, memory, command, instance_type, environment, resource_requirements }
    );
    whole!(&container.environment[0], KeyValuePair { name, value });
    whole!(&container.resource_requirements[0], ResourceRequirement { value, kind });
    let nodes = spec.node_overrides.as_ref().unwrap();
    whole!(nodes, NodeOverrides { num_nodes, node_property_overrides });
    whole!(
        &nodes.node_property_overrides[0],
        NodePropertyOverride {
            target_nodes,
            container_overrides,
            ecs_properties_override,
            instance_types,
            eks_properties_override,
            consumable_resource_properties_override
        }
    );
    let ecs = spec.ecs_properties_override.as_ref().unwrap();
    whole!(ecs, EcsPropertiesOverride { task_properties });
    whole!(&ecs.task_properties[0], TaskPropertiesOverride { containers });
    whole!(
        &ecs.task_properties[0].containers[0],
        TaskContainerOverrides { command, environment, name, resource_requirements }
    );
    let eks = spec.eks_properties_override.as_ref().unwrap();
    whole!(eks, EksPropertiesOverride { pod_properties });
    let pod = eks.pod_properties.as_ref().unwrap();
    whole!(pod, EksPodPropertiesOverride { containers, init_containers, metadata });
    whole!(pod.metadata.as_ref().unwrap(), EksMetadata { labels, annotations, namespace });
    whole!(&pod.containers[0], EksContainerOverride { name, image, command, args, env, resources });
    whole!(&pod.containers[0].env[0], EksContainerEnvironmentVariable { name, value });
    whole!(
        pod.containers[0].resources.as_ref().unwrap(),
        EksContainerResourceRequirements { limits, requests }
    );
}
