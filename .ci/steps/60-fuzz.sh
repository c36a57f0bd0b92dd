step "fuzz: 10 seconds a target"
# On request (FUZZ=true) until the targets have been built and run once: the first build takes long on two cores.
fuzz_missing=""
[ "${FUZZ:-}" = true ] || fuzz_missing="FUZZ=true"
cargo +nightly --version >/dev/null 2>&1 || fuzz_missing="${fuzz_missing:+$fuzz_missing and }a nightly toolchain"
command -v cargo-fuzz >/dev/null || fuzz_missing="${fuzz_missing:+$fuzz_missing and }cargo-fuzz"
if [ -n "$fuzz_missing" ]; then
    echo "skipped: there is no $fuzz_missing here"
else
    bash fuzz/run.sh 10
fi
