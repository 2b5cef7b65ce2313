//! The program `batchwright`.

fn main() -> std::process::ExitCode {
    batchwright_cli::main()
}
