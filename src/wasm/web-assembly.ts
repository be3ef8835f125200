// WebAssembly is not among the types of a program without a browser.
export interface WasmInstance {
  exports: Record<string, any>;
}

interface WebAssemblyNamespace {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => WasmInstance;
  RuntimeError: new (message?: string) => Error;
  CompileError: new () => Error;
  LinkError: new () => Error;
}

export const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyNamespace };
