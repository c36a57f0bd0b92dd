step "format, lint, documentation"
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
cargo check --locked -p config-azure --no-default-features
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --no-deps
