step "faults and threats: who owns what is missing"
lists="$(mktemp -d)"
# Built by the step before; nothing is compiled here.
cargo test --locked --workspace --quiet --lib --bins --tests -- --list >"$lists/all"
cargo test --locked --workspace --quiet --lib --bins --tests -- --list --ignored >"$lists/ignored"
python3 tests/names/check.py "$lists/all" "$lists/ignored" .ci/complete-owners docs/testing.md
rm -r "$lists"
