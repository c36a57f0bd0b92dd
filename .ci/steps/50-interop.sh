step "interop: the official clients of other languages against the emulator"
bash tests/interop/run.sh
