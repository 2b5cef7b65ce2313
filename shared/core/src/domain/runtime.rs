//! Which container runtime a person asks for.

/// A container runtime of the machine, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeChoice {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// Docker where its daemon answers, else podman.
    Auto,
}

impl RuntimeChoice {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Auto];

    /// Its name, as it is written in job files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Auto => "auto",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == text)
    }
}
