//! What must not need a deep stack runs on a small one.

use anyhow::anyhow;

/// Bytes. The frames of a build without optimization are several times as large.
const STACK: usize = if cfg!(debug_assertions) { 1024 * 1024 } else { 256 * 1024 };

/// Runs a test on a thread with a small stack, on tokio's paused time. The runtime's own threads have stacks
/// of the same size.
///
/// # Errors
///
/// Those of the test, and where the thread can't be started.
pub fn on_a_small_stack<F>(test: impl FnOnce() -> F + Send + 'static) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .thread_stack_size(STACK)
            .build()?;
        runtime.block_on(Box::pin(test()))
    })?;
    thread.join().map_err(|_| anyhow!("the test's thread panicked"))?
}
