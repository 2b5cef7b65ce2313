//! What the program reads of its environment, beside clap's own options.

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

/// The file of this program.
pub(crate) fn program() -> std::io::Result<std::path::PathBuf> {
    std::env::current_exe()
}

/// What nobody can guess: 122 bits of the system's randomness.
#[expect(clippy::disallowed_methods, reason = "a secret must not follow from a seed")]
pub(crate) fn token() -> uuid::Uuid {
    uuid::Uuid::new_v4()
}
