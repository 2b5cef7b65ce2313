//! The program `batchwright`.

/// A third less of the CPU time goes into the SDK's many small allocations than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    batchwright_cli::main()
}
