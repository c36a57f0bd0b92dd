step "every example to its end"
# Built first, so that the time limit is that of the run.
cargo build --locked --quiet --all-features --examples
for file in examples/*.rs; do
    name="$(basename "$file" .rs)"
    printf -- '-- %s\n' "$name"
    timeout 120 cargo run --locked --quiet --all-features --example "$name"
done
step "the command that the README prints"
grep -q '^cargo run --example quickstart$' README.md
cargo build --locked --quiet --example quickstart
timeout 120 cargo run --example quickstart
