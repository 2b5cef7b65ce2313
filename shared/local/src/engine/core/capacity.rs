//! What may run at once, and what a job needs of it.

use std::fs;

use super::vcpus::{self, MilliVcpus};
use crate::domain::reasons::TOO_LARGE;
use crate::domain::spec::{ResourceRequirement, ResourceType};
use crate::domain::{JobDefinition, JobSpec};
use crate::events::ContainerDetail;

/// vCPUs, memory and GPUs. `None`: without bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// vCPUs.
    pub vcpus: MilliVcpus,
    /// MiB.
    pub memory_mib: Option<i64>,
    /// Devices.
    pub gpus: Option<i64>,
}

/// What one job needs, or all that run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) vcpus: MilliVcpus,
    pub(crate) memory_mib: i64,
    pub(crate) gpus: i64,
}

impl From<MilliVcpus> for Capacity {
    fn from(vcpus: MilliVcpus) -> Self {
        Self { vcpus, memory_mib: None, gpus: None }
    }
}

impl Capacity {
    /// So many vCPUs, and the memory and GPUs of this machine.
    pub fn of_this_machine(vcpus: u32) -> Self {
        Self { vcpus: MilliVcpus::whole(vcpus), memory_mib: memory_mib(), gpus: Some(gpus()) }
    }

    /// Why a job can never run within it; `None` where it can.
    pub fn too_small_for(&self, spec: &JobSpec, definition: Option<&JobDefinition>) -> Option<String> {
        let overrides = spec.container_overrides.as_ref();
        let vcpus = vcpus::need(overrides, definition).ok()?;
        let own = overrides.map(|overrides| overrides.resource_requirements.as_slice()).unwrap_or_default();
        let base =
            definition.map(|definition| definition.resource_requirements.as_slice()).unwrap_or_default();
        let memory = overrides.and_then(|overrides| overrides.memory).map(i64::from);
        let amount = |kind| required(own, kind).or_else(|| required(base, kind)).unwrap_or(0);
        let need = Need {
            vcpus,
            memory_mib: memory.unwrap_or_else(|| amount(ResourceType::Memory)),
            gpus: amount(ResourceType::Gpu),
        };
        self.lack(need)
    }

    /// Batch's own reason for a job that no compute environment can hold, and what is lacking here.
    pub(crate) fn refuse(&self, need: Need) -> Option<String> {
        self.lack(need).map(|lack| format!("{TOO_LARGE} ({lack})"))
    }

    fn lack(&self, need: Need) -> Option<String> {
        let Self { vcpus, memory_mib, gpus } = *self;
        let short = |needed: i64, here: Option<i64>| here.filter(|here| needed > *here);
        let lacks = [
            (need.vcpus > vcpus).then(|| format!("it needs {} vCPUs, and {vcpus} may be used", need.vcpus)),
            short(need.memory_mib, memory_mib)
                .map(|here| format!("it needs {} MiB, and the machine has {here}", need.memory_mib)),
            short(need.gpus, gpus)
                .map(|here| format!("it needs {} GPUs, and the machine has {here}", need.gpus)),
        ];
        let lacks: Vec<String> = lacks.into_iter().flatten().collect();
        (!lacks.is_empty()).then(|| lacks.join("; "))
    }

    /// Whether a job fits beside what runs.
    pub(crate) fn has_room(&self, running: Need, need: Need) -> bool {
        self.lack(Need {
            vcpus: MilliVcpus(running.vcpus.0 + need.vcpus.0),
            memory_mib: running.memory_mib + need.memory_mib,
            gpus: running.gpus + need.gpus,
        })
        .is_none()
    }
}

impl Need {
    /// A job's, of which only the vCPUs are worked out once and kept.
    pub(crate) fn of(vcpus: MilliVcpus, container: Option<&ContainerDetail>) -> Self {
        let requirements =
            container.map(|container| container.resource_requirements.as_slice()).unwrap_or_default();
        let memory = container.and_then(|container| container.memory).map(i64::from);
        let memory_mib = memory.or_else(|| required(requirements, ResourceType::Memory)).unwrap_or(0);
        Self { vcpus, memory_mib, gpus: required(requirements, ResourceType::Gpu).unwrap_or(0) }
    }

    pub(crate) fn add(&mut self, other: Need) {
        self.vcpus.0 += other.vcpus.0;
        self.memory_mib += other.memory_mib;
        self.gpus += other.gpus;
    }

    pub(crate) fn remove(&mut self, other: Need) {
        self.vcpus.0 -= other.vcpus.0;
        self.memory_mib -= other.memory_mib;
        self.gpus -= other.gpus;
    }
}

fn required(requirements: &[ResourceRequirement], kind: ResourceType) -> Option<i64> {
    requirements.iter().find(|entry| entry.kind == kind)?.value.parse().ok()
}

/// Linux tells; elsewhere jobs are not held to it.
fn memory_mib() -> Option<i64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: i64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1_024)
}

/// The driver lists its devices there.
fn gpus() -> i64 {
    let devices = fs::read_dir("/proc/driver/nvidia/gpus").map(Iterator::count).unwrap_or(0);
    i64::try_from(devices).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::JobName;
    use crate::domain::spec::ContainerOverrides;

    fn require(kind: ResourceType, value: &str) -> ResourceRequirement {
        ResourceRequirement::new(kind, value)
    }

    #[test]
    fn what_is_lacking_is_told() {
        let here = Capacity { vcpus: MilliVcpus::whole(8), memory_mib: Some(16_000), gpus: Some(0) };
        for (requirements, lack) in [
            (vec![require(ResourceType::Vcpu, "8"), require(ResourceType::Memory, "16000")], None),
            (vec![require(ResourceType::Vcpu, "64")], Some("it needs 64 vCPUs, and 8 may be used")),
            (vec![require(ResourceType::Gpu, "8")], Some("it needs 8 GPUs, and the machine has 0")),
            (
                vec![require(ResourceType::Memory, "16001")],
                Some("it needs 16001 MiB, and the machine has 16000"),
            ),
        ] {
            let overrides = ContainerOverrides::default().with(|it| it.resource_requirements = requirements);
            let mut spec = JobSpec::new(JobName::parse("a").unwrap(), "q", "d");
            spec.container_overrides = Some(overrides);
            assert_eq!(here.too_small_for(&spec, None).as_deref(), lack);
            let boundless = Capacity::from(MilliVcpus::whole(64));
            assert_eq!(boundless.too_small_for(&spec, None), None);
        }
    }

    #[test]
    fn the_definitions_requirements_count_where_the_job_has_none() {
        let here = Capacity { vcpus: MilliVcpus::whole(1), memory_mib: Some(100), gpus: Some(1) };
        let definition = JobDefinition {
            resource_requirements: vec![
                require(ResourceType::Memory, "101"),
                require(ResourceType::Gpu, "1"),
            ],
            ..JobDefinition::default()
        };
        let mut spec = JobSpec::new(JobName::parse("a").unwrap(), "q", "d");
        assert!(here.too_small_for(&spec, Some(&definition)).is_some());
        spec.container_overrides = Some(ContainerOverrides::default().with(|it| it.memory = Some(100)));
        assert_eq!(here.too_small_for(&spec, Some(&definition)), None);
    }

    #[test]
    fn jobs_share_what_is_there() {
        let here = Capacity { vcpus: MilliVcpus::whole(4), memory_mib: Some(1_000), gpus: Some(1) };
        let mut running = Need::default();
        let one = Need { vcpus: MilliVcpus::ONE, memory_mib: 400, gpus: 1 };
        assert!(here.has_room(running, one));
        running.add(one);
        assert!(!here.has_room(running, one), "there is one GPU");
        assert!(here.has_room(running, Need { gpus: 0, ..one }));
        running.remove(one);
        assert_eq!(running, Need::default());
    }
}
