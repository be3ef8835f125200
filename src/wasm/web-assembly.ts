// WebAssembly is not among the types of a program without a browser.
export interface WasmInstance {
  exports: Record<string, any>;
}

type Call = (...words: any[]) => any;

interface WebAssemblyNamespace {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports?: object) => WasmInstance;
  RuntimeError: new (message?: string) => Error;
  CompileError: new () => Error;
  LinkError: new () => Error;
  Memory: abstract new () => { buffer: ArrayBuffer };
  /** An import whose promise the guest waits for. */
  Suspending: new (call: Call) => object;
  SuspendError: new () => Error;
  /** An export during which the guest may wait. */
  promising: (call: Call) => (...words: any[]) => Promise<any>;
}

export const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyNamespace };
