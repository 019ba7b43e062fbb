#!/bin/sh
# Builds the Worker into build/ at the top of the repository. `wrangler dev` and `wrangler deploy` run it.
set -eu
# The file says that it was built a moment ago; the next time it will not have been.
if [ -n "${WORKER_IS_BUILT:-}" ] && rm "$WORKER_IS_BUILT" 2>/dev/null; then exit 0; fi
cd "$(dirname "$0")"
# Where set-up put the tools it installed, if it was run here.
if [ -f ../../target/tools/env ]; then . ../../target/tools/env; fi
command -v worker-build >/dev/null || cargo install --quiet --locked worker-build@0.8.7

# A request is worked off to its end even if its caller hangs up: no dial is cut in half.
RUN_TO_COMPLETION=1 worker-build --release --out-dir ../../build

# worker-build keeps every function's name in the module, a fifth of its size; it keeps its wasm-opt in a cache.
opt=${WASM_OPT_BIN:-$(command -v wasm-opt || find ~/.cache ~/Library/Caches -name wasm-opt -path '*worker*' 2>/dev/null | head -n 1)}
if [ -n "$opt" ]; then
  wasm=../../build/index_bg.wasm
  # The features are those that worker-build names: newer ones workerd may not know.
  "$opt" --enable-mutable-globals --enable-sign-ext --enable-nontrapping-float-to-int --enable-bulk-memory \
    --enable-multivalue --enable-reference-types --enable-exception-handling \
    --strip-debug --strip-producers "$wasm" -o "$wasm"
fi
