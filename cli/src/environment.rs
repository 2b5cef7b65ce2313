//! What the program reads of its environment, beside clap's own options.

use std::path::PathBuf;

/// Who runs the program.
#[expect(clippy::disallowed_methods, reason = "this is where the program's environment is read")]
pub(crate) fn user() -> Option<String> {
    let names = ["USER", "LOGNAME", "USERNAME"];
    names.into_iter().find_map(|name| std::env::var(name).ok()).filter(|user| !user.is_empty())
}

/// The stack that commands mean where they name none.
#[cfg(feature = "aws")]
#[expect(clippy::disallowed_methods, reason = "this is where the program's environment is read")]
pub(crate) fn stack() -> Option<String> {
    std::env::var("BATCHWRIGHT_STACK").ok().filter(|name| !name.is_empty())
}

/// The configuration file that the environment names.
#[cfg(feature = "aws")]
pub(crate) fn configuration() -> Option<PathBuf> {
    std::env::var_os("BATCHWRIGHT_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Where users keep their configurations.
#[cfg(feature = "aws")]
pub(crate) fn configurations() -> Option<PathBuf> {
    let path = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    crate::configuration::folder(path("XDG_CONFIG_HOME"), path("HOME"))
}

/// The file of this program.
pub(crate) fn program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

/// What nobody can guess: 122 bits of the system's randomness.
#[expect(clippy::disallowed_methods, reason = "a secret must not follow from a seed")]
pub(crate) fn token() -> uuid::Uuid {
    uuid::Uuid::new_v4()
}
