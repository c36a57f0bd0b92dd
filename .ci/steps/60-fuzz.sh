step "fuzz: 10 seconds a target"
fuzz_missing=""
cargo +nightly --version >/dev/null 2>&1 || fuzz_missing="a nightly toolchain"
command -v cargo-fuzz >/dev/null || fuzz_missing="${fuzz_missing:+$fuzz_missing and }cargo-fuzz"
if [ -n "$fuzz_missing" ]; then
    echo "skipped: there is no $fuzz_missing here"
else
    bash fuzz/run.sh 10
fi
