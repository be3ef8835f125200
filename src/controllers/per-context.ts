// What a controller remembers beside its objects. It is as old as the controller's context, so a controller that is
// started anew remembers nothing.
import type { ControllerContext } from "./runtime.ts";

/** Made when a context first asks for it. */
export function perContext<T extends object>(make: (context: ControllerContext) => T) {
  const all = new WeakMap<ControllerContext, T>();
  return (context: ControllerContext): T => {
    let one = all.get(context);
    if (!one) all.set(context, (one = make(context)));
    return one;
  };
}
