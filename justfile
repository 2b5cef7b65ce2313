# The recipes that CI runs too. `just` alone lists them.

[private]
default:
    @just --list

# All tests
test:
    cargo test --workspace --locked

# fmt, clippy, doc, the library with each feature alone, licences and bans
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo clippy --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
    .ci/outside
    .ci/package
    .ci/deny

# What CI does
check:
    .ci/run

# So many histories of events, dropped, repeated and out of order; CI plays 10,000
histories n="100000":
    HISTORIES={{n}} cargo test --workspace --locked --test histories -- --nocapture

# A deployment in a storm, so many jobs of a seed: nothing lost, nothing twice; CI runs 1,000 jobs
soak n="20000" seed="16":
    SOAK={{n}} SOAK_SEED={{seed}} cargo test --workspace --locked --test soak -- --nocapture

# The same with the state on DynamoDB and Batch behind its own protocol, both over HTTP by the SDK; CI runs 200 jobs
soak-http n="2000" seed="16":
    SOAK_HTTP={{n}} SOAK_SEED={{seed}} cargo test --workspace --locked --test soak -- --nocapture http

# All measurements, kept in docs/benchmarks; or one: start, parallel, state_handler, submitter, lists, scale, invoke, fates, objects, convert, pack
bench what="all" *options="":
    python3 benches/{{what}}.py {{options}}

# How often a job is submitted when things go wrong, side by side with aio-aws
once *parameters="":
    python3 benches/once.py {{parameters}}

# What the exhaustive tests went through, and how often aio-aws submits where batchwright submits once
prove:
    python3 benches/prove.py
    python3 benches/once.py

# Clients too heavy for CI (redun, airflow, luigi, snakemake, metaflow) from their packages against `serve`: see docs/clients.md
clients *names="":
    python3 tests/clients/heavy {{names}}

# The program of all functions for Lambda, into target/lambda: `--x86-64` instead of arm64 where that is wanted
build-functions *platform="":
    infra/build {{platform}}

# Coverage-guided fuzzing of a target in fuzz/corpus, for so many seconds, on the stable toolchain
fuzz target seconds="60":
    fuzz/run {{target}} {{seconds}}

# Both stacks, in the account and Region of the environment: see infra/README.md
deploy name="batchwright" *parameters="": (build-functions if name =~ "=" { error("the stack's name comes before its parameters: just deploy batchwright " + name) } else if " " + parameters + " " =~ " Architecture=x86_64 " { "--x86-64" } else { "--arm64" })
    aws cloudformation deploy --template-file infra/data.yaml --stack-name {{name}}-data --parameter-overrides Name={{name}} --no-fail-on-empty-changeset
    sam deploy --template-file infra/app.yaml --stack-name {{name}}-app --parameter-overrides Name={{name}} {{parameters}} --capabilities CAPABILITY_IAM --resolve-s3 --no-confirm-changeset --no-fail-on-empty-changeset

# The README's pictures, made anew in docs/pictures: look at them
pictures:
    cargo build --workspace --locked
    target/debug/pictures

# The templates, by sam and cfn-lint
templates:
    .ci/templates

# The templates, by checkov: what does not hold stands in infra/checkov.yaml, with its reason
checkov:
    .ci/checkov

# What the program and that of the functions are made of, as CycloneDX, into target/sbom
sbom:
    .ci/sbom
