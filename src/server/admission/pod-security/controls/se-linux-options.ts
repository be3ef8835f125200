import { containersOf, plural, quoted, setters, sorted } from "../control.ts";
import type { Check, Control } from "../control.ts";

const types = ["", "container_t", "container_init_t", "container_kvm_t"];

const checkWith =
  (allowed: string[]): Check =>
  (pod) => {
    const found = { types: new Set<string>(), user: false, role: false };
    const isBad = (securityContext: any) => {
      const { type = "", user, role } = securityContext?.seLinuxOptions ?? {};
      const badType = !allowed.includes(type);
      if (badType) found.types.add(type);
      if (user) found.user = true;
      if (role) found.role = true;
      return badType || Boolean(user) || Boolean(role);
    };
    const ofPod = isBad(pod.spec.securityContext);
    const bad = containersOf(pod).filter(({ securityContext }) => isBad(securityContext));
    const who = setters(
      ofPod,
      bad.map(({ name }) => name),
    );
    if (who.length === 0) return undefined;
    const what: string[] = [];
    if (found.types.size > 0) {
      what.push(`${plural("type", found.types.size)} ${quoted(sorted(found.types))}`);
    }
    if (found.user) what.push("user may not be set");
    if (found.role) what.push("role may not be set");
    return {
      reason: "seLinuxOptions",
      detail: `${who.join(" and ")} set forbidden securityContext.seLinuxOptions: ${what.join("; ")}`,
    };
  };

export const seLinuxOptions: Control = {
  id: "seLinuxOptions",
  level: "baseline",
  versions: [
    { since: 0, check: checkWith(types) },
    { since: 31, check: checkWith([...types, "container_engine_t"]) },
  ],
};
