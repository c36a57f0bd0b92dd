#!/usr/bin/env bash
# Every fuzz target for SECONDS (default 10), one after another: fuzz/run.sh [SECONDS [TARGET...]]
# Prints how many runs each had. The first crash ends it, with the input in fuzz/artifacts/.
#
# No sanitizer: this library forbids unsafe code, so that one would only slow the targets down. What they look for are
# panics, overflows, broken promises, inputs that take more than five seconds, and more than 512 MiB of memory.
# In CI (CI=true) each run draws the same inputs, and an input may take a minute: a slow machine is no fault of the change
# that is checked. New inputs are for runs by hand.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:-10}"
targets=("${@:2}")
if [ "${#targets[@]}" -eq 0 ]; then
    mapfile -t targets < <(cargo +nightly fuzz list)
fi

draws=(-timeout=5)
if [ "${CI:-}" = true ]; then draws=(-timeout=60 -seed=1); fi

build=(--sanitizer none --target-dir target/fuzz)
cargo +nightly fuzz build "${build[@]}" 2>&1 | grep -E '^(error|warning: unused)' && exit 1
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
    log="target/fuzz/$target.log"
    seeds=()
    if [ -d "fuzz/seeds/$target" ]; then seeds=("fuzz/seeds/$target"); fi
    if ! cargo +nightly fuzz run "${build[@]}" "$target" "fuzz/corpus/$target" "${seeds[@]}" -- \
        -max_total_time="$seconds" "${draws[@]}" -rss_limit_mb=512 -print_final_stats=1 >"$log" 2>&1; then
        tail -n 40 "$log"
        echo "fuzz: $target failed"
        exit 1
    fi
    printf 'fuzz: %-18s %s runs\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
done
