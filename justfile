# The recipes that CI runs too. `just` alone lists them.

[private]
default:
    @just --list

# All tests
test:
    cargo test --workspace --locked

# fmt, clippy, doc, the library without any feature, licences and bans
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
    cargo check -p batchwright --no-default-features --locked --target-dir target/no-features
    .ci/deny

# What CI does
check:
    .ci/run

# Time and memory of `run` by the number of jobs
bench:
    python3 benches/scale.py
