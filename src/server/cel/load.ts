// CEL is loaded by the first expression that a site meets; most sites never meet one.

type Cel = typeof import("./compile.ts");

let loaded: Cel | undefined;

/** Resolves once expressions can be compiled. */
export async function loadCel(): Promise<Cel> {
  loaded ??= await import("./compile.ts");
  return loaded;
}

/** For places that cannot wait; whoever brings an expression to them has loaded it. */
export function loadedCel(): Cel {
  if (!loaded) throw new Error("an expression is met before CEL is loaded");
  return loaded;
}
