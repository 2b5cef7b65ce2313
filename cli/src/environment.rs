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
