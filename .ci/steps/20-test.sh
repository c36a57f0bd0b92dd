step "tests: the command that the README prints"
grep -q '^cargo test --workspace$' README.md
cargo test --workspace
step "tests with every feature"
cargo test --locked -p config-azure --all-features --lib
cargo test --locked -p config-azure --all-features --doc
# Of the others, those in which the features make a difference.
cargo test --locked -p config-azure --all-features --test suite -- key_references hostile_references
