# Tools that a machine with Rust does not have. They are built from their published source, without optimisation (80 s
# instead of 380 s for cargo-deny on two cores), into a folder that later runs find again.
CI_TOOLS="${CI_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/config-azure-ci}"
export PATH="$CI_TOOLS/bin:$PATH"

# tool NAME VERSION: makes `cargo NAME` of that version available. In CI a failure to do so is a failure.
tool() {
    if [ "$("cargo-$1" --version 2>/dev/null || true)" = "cargo-$1 $2" ]; then
        echo "cargo-$1 $2: present"
    elif CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
        cargo install --quiet --locked --debug --force --root "$CI_TOOLS" "cargo-$1@$2"; then
        echo "cargo-$1 $2: installed into $CI_TOOLS"
    elif [ "${CI:-}" = true ]; then
        echo "cargo-$1 $2 cannot be installed"
        return 1
    else
        echo "cargo-$1 $2 cannot be installed here: the steps that need it are skipped"
    fi
}

# component NAME COMMAND: makes a component of the toolchain available.
component() {
    if cargo "$2" --version >/dev/null 2>&1; then
        echo "$1: present"
    elif command -v rustup >/dev/null && rustup component add "$1"; then
        echo "$1: installed"
    else
        echo "$1 is missing, and cannot be installed"
        return 1
    fi
}

# The nightly toolchain that is here, whatever its date; in CI one is installed if there is none and if it can be had. It
# is for fuzzing alone, which is the one step that a machine without it does without.
nightly() {
    if cargo +nightly --version >/dev/null 2>&1; then
        echo "nightly: present"
    elif [ "${CI:-}" != true ]; then
        echo "nightly: not here, so that nothing is fuzzed"
    elif command -v rustup >/dev/null && rustup toolchain install nightly --profile minimal --no-self-update; then
        echo "nightly: installed"
    else
        echo "nightly cannot be installed, so that nothing is fuzzed"
    fi
}

step "tools"
if ! python3 --version; then
    echo "python3 is missing: tests/names/check.py and the interop tests need it"
    exit 1
fi
component rustfmt fmt
component clippy clippy
tool deny 0.20.2
nightly
if cargo +nightly --version >/dev/null 2>&1; then
    tool fuzz 0.13.2
fi
