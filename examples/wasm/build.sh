#!/bin/sh
# Builds the modules of these examples into examples/wasm/build/. C needs Debian's clang, lld, wasi-libc and
# libclang-rt-dev-wasm32; AssemblyScript needs npm, and brings its own compiler.
#   build.sh [c] [assemblyscript]      all of them by default
set -eu
here=$(dirname "$(readlink -f "$0")")
out=$here/build
mkdir -p "$out"
[ $# -gt 0 ] || set -- c assemblyscript

c() {
  for source in "$here"/c/*.c; do
    clang --target=wasm32-wasi -O2 -o "$out/$(basename "$source" .c).wasm" "$source"
  done
}

assemblyscript() {
  cd "$here/assemblyscript"
  [ -d node_modules/assemblyscript ] || npm install --ignore-scripts --no-audit --no-fund --loglevel=error
  npx asc hello.ts --config node_modules/@assemblyscript/wasi-shim/asconfig.json -O \
    -o "$out/hello-assemblyscript.wasm"
}

for language; do "$language"; done
ls -l "$out"
