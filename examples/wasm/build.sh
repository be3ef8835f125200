#!/bin/sh
# Builds the modules of these examples into examples/wasm/build/. C needs Debian's clang, lld, wasi-libc and
# libclang-rt-dev-wasm32; AssemblyScript and JavaScript need npm, and bring their own compilers.
#   build.sh [c] [component] [assemblyscript] [javascript]      the first three by default
set -eu
here=$(dirname "$(readlink -f "$0")")
out=$here/build
mkdir -p "$out"
[ $# -gt 0 ] || set -- c component assemblyscript
# The Node that Kerb brings, where Debian's own is older.
for brought in "$here"/../../node_modules/node-linux-*/bin; do PATH=$brought:$PATH; done

c() {
  for source in "$here"/c/*.c; do
    clang --target=wasm32-wasi -O2 -o "$out/$(basename "$source" .c).wasm" "$source"
  done
}

component() {
  for name in http stream; do
    world=http
    [ $name = http ] || world=streaming
    clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry -o "$out/$name.core.wasm" "$here/component/$name.c"
    node "$here/component/componentize.js" "$out/$name.core.wasm" "$here/component/http.wit" $world "$out/$name.wasm"
    rm "$out/$name.core.wasm"
  done
}

javascript() {
  cd "$here/javascript"
  [ -d node_modules/@bytecodealliance ] || npm install --ignore-scripts --no-audit --no-fund --loglevel=error
  node build.js hello.js "$out/hello-javascript.wasm"
}

assemblyscript() {
  cd "$here/assemblyscript"
  [ -d node_modules/assemblyscript ] || npm install --ignore-scripts --no-audit --no-fund --loglevel=error
  npx asc hello.ts --config node_modules/@assemblyscript/wasi-shim/asconfig.json -O \
    -o "$out/hello-assemblyscript.wasm"
}

for language; do "$language"; done
ls -l "$out"
