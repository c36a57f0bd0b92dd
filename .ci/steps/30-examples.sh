step "every example to its end"
for file in examples/*.rs; do
    name="$(basename "$file" .rs)"
    printf -- '-- %s\n' "$name"
    timeout 120 cargo run --locked --quiet --all-features --example "$name"
done
