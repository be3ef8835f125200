/** Of RuntimeClasses: what runwasi's shims of these names run, runs here; they are one. */
export const handlers = ["wasm", "wasmtime", "wasmedge", "wasmer"];
