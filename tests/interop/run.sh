#!/usr/bin/env bash
# The official JavaScript and Python clients against the standalone emulator, then this library on what they wrote.
# In CI (CI=true) everything that is missing is a failure; elsewhere it is a skip with a clear line.
set -euo pipefail
cd "$(dirname "$0")/../.."

here="$PWD/tests/interop"
work="$PWD/target/interop"
mkdir -p "$work"

skip() {
    echo "interop skipped: $*"
    if [ "${CI:-}" = true ]; then exit 1; else exit 0; fi
}

for command in node npm python3; do
    command -v "$command" >/dev/null || skip "there is no $command on this machine"
done

# Packages, installed once for each state of the lock files.
if ! cmp -s "$here/js/package-lock.json" "$work/js/installed"; then
    mkdir -p "$work/js"
    cp "$here/js/package.json" "$here/js/package-lock.json" "$work/js/"
    (cd "$work/js" && npm ci --silent --no-audit --no-fund) || skip "the packages of npm cannot be installed"
    cp "$here/js/package-lock.json" "$work/js/installed"
fi
if ! cmp -s "$here/python/requirements.txt" "$work/python/installed"; then
    rm -rf "$work/python"
    python3 -m venv "$work/python" || skip "there is no venv for python3"
    "$work/python/bin/pip" install --quiet --disable-pip-version-check --no-deps \
        --requirement "$here/python/requirements.txt" || skip "the packages of pip cannot be installed"
    cp "$here/python/requirements.txt" "$work/python/installed"
fi
cp "$here"/js/*.mjs "$work/js/"

cargo build --locked --quiet -p config-azure-emulator
# The emulator ends when its input is closed, which also happens if this script dies.
coproc EMULATOR {
    exec target/debug/config-azure-emulator --json --stop-on-eof --ca-file "$work/ca.pem" \
        --store js --store js-data --store python --store python-data \
        --vault kv-js --vault kv-js-data --vault kv-python --vault kv-python-data
}
emulator="$EMULATOR_PID"
read -r said <&"${EMULATOR[0]}"
printf '%s\n' "$said" >"$work/world.json"

export INTEROP_WORLD="$work/world.json" INTEROP_DATASET="$here/dataset.json" INTEROP_READ="$work"
export NODE_EXTRA_CA_CERTS="$work/ca.pem" REQUESTS_CA_BUNDLE="$work/ca.pem" PYTHONDONTWRITEBYTECODE=1
js() { (cd "$work/js" && node "$@"); }
python() { "$work/python/bin/python" "$here/python/$1" "${@:2}"; }

failed=0
echo "-- JavaScript clients"
js main.mjs || failed=1
echo "-- Python clients"
python main.py || failed=1
echo "-- their providers, and this library"
for store in js-data python-data; do
    js read.mjs "$store" "$work/$store.by-js.json" || failed=1
    python read.py "$store" "$work/$store.by-python.json" || failed=1
done
cargo test --locked --quiet -p config-azure --test interop -- --nocapture || failed=1

eval "exec ${EMULATOR[1]}>&-"
wait "$emulator" || failed=1
exit "$failed"
