// What a pod may ask of the walls around its containers and a module is not given: they are the same for all modules.
// Pure.

type SecurityContext = Record<string, any>;

const fields: Record<string, (context: SecurityContext) => boolean> = {
  privileged: ({ privileged }) => privileged === true,
  "capabilities.add": ({ capabilities }) => (capabilities?.add ?? []).length > 0,
  "seccompProfile.localhostProfile": ({ seccompProfile }) => seccompProfile?.type === "Localhost",
};

/** Throws, in words for the container's status. */
export function refuseSecurity(context: SecurityContext) {
  const asked = Object.keys(fields).filter((name) => fields[name]!(context));
  if (asked.length === 0) return;
  const names = asked.map((name) => `securityContext.${name}`).join(", ");
  throw new Error(`${names}: not for WebAssembly modules, whose walls are the same for all`);
}
