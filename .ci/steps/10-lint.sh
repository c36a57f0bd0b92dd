step "format, lint, documentation"
cargo fmt --all --check
# Workspaces of their own.
for manifest in tests/process/Cargo.toml fuzz/Cargo.toml; do
    cargo fmt --manifest-path "$manifest" --check
done
cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
cargo check --locked -p config-azure --no-default-features
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --no-deps
