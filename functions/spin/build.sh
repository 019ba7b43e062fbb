#!/bin/sh
# Builds the component to target/wasm32-wasip2/release/host_spin.wasm, where spin.toml looks for it. `spin build` runs it.
set -eu
cd "$(dirname "$0")/../.."
# Where set-up put the tools it installed, if it was run here.
if [ -f target/tools/env ]; then . target/tools/env; fi

# Strips the names of functions, which nobody reads there.
CARGO_PROFILE_RELEASE_STRIP=true cargo build --release --target wasm32-wasip2 --target-dir "${SPIN_BUILD_DIR:-target}" --package host-spin
