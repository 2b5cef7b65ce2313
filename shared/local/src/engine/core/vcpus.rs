//! How many vCPUs a job needs, in thousandths, because Batch knows quarters of one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::JobDefinition;
use crate::domain::spec::{ContainerOverrides, ResourceRequirement, ResourceType};

/// Thousandths of a vCPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MilliVcpus(pub i64);

impl MilliVcpus {
    /// One vCPU: what a job needs that does not say.
    pub const ONE: MilliVcpus = MilliVcpus(1_000);

    /// Whole vCPUs.
    pub const fn whole(vcpus: u32) -> Self {
        Self(vcpus as i64 * 1_000)
    }

    /// A decimal number above 0, as in `0.25`. More than three decimals are rounded up.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let vcpus: f64 = text.trim().parse().ok()?;
        let in_range = vcpus.is_finite() && vcpus > 0.0 && vcpus <= 1e9;
        #[expect(clippy::cast_possible_truncation, reason = "at most 1e12, checked above")]
        in_range.then(|| Self((vcpus * 1_000.0).ceil() as i64))
    }
}

impl fmt::Display for MilliVcpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 1_000, self.0 % 1_000) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, part) => f.write_str(format!("{whole}.{part:03}").trim_end_matches('0')),
        }
    }
}

/// The need by the override's requirement, the override's `vcpus`, the definition's requirement, or 1.
///
/// # Errors
///
/// With the text that is no number of vCPUs.
pub(crate) fn need(
    overrides: Option<&ContainerOverrides>,
    definition: Option<&JobDefinition>,
) -> Result<MilliVcpus, String> {
    let parse = |text: &str| MilliVcpus::parse(text).ok_or_else(|| text.to_owned());
    if let Some(value) = overrides.and_then(|overrides| vcpu(&overrides.resource_requirements)) {
        return parse(value);
    }
    if let Some(vcpus) = overrides.and_then(|overrides| overrides.vcpus) {
        return parse(&vcpus.to_string());
    }
    definition
        .and_then(|definition| vcpu(&definition.resource_requirements))
        .map_or(Ok(MilliVcpus::ONE), parse)
}

fn vcpu(requirements: &[ResourceRequirement]) -> Option<&str> {
    requirements.iter().find(|entry| entry.kind == ResourceType::Vcpu).map(|entry| entry.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vcpus(value: &str) -> Vec<ResourceRequirement> {
        vec![ResourceRequirement::new(ResourceType::Vcpu, value)]
    }

    #[test]
    fn the_nearest_statement_of_the_need_wins() {
        let definition = JobDefinition { resource_requirements: vcpus("4"), ..JobDefinition::default() };
        let by_requirement = ContainerOverrides::default().with(|it| {
            it.vcpus = Some(2);
            it.resource_requirements = vcpus("0.25");
        });
        let by_vcpus = ContainerOverrides::default().with(|it| it.vcpus = Some(2));
        for (overrides, definition, expected) in [
            (Some(&by_requirement), Some(&definition), 250),
            (Some(&by_vcpus), Some(&definition), 2_000),
            (None, Some(&definition), 4_000),
            (Some(&ContainerOverrides::default()), None, 1_000),
        ] {
            assert_eq!(need(overrides, definition), Ok(MilliVcpus(expected)));
        }
    }

    #[test]
    fn what_is_no_number_above_zero_is_told() {
        for bad in ["", "two", "0", "-1", "NaN", "inf", "1e300"] {
            let overrides = ContainerOverrides::default().with(|it| it.resource_requirements = vcpus(bad));
            assert_eq!(need(Some(&overrides), None), Err(bad.to_owned()));
        }
    }
}
