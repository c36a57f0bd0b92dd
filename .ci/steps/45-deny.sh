step "licences, banned crates and features, floors, sources"
if command -v cargo-deny >/dev/null; then
    cargo deny --locked check bans licenses sources
elif [ "${CI:-}" = true ]; then
    echo "cargo-deny is missing"
    exit 1
else
    echo "skipped: cargo-deny is not installed"
fi
