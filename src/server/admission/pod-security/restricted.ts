// Restricted: beside the baseline, a pod gives up every right it does not need.
import { containersOf, isWindows, named, plural, quoted } from "./pod.ts";
import type { Control } from "./pod.ts";

const openVolumes = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
]);

const volumeTypes: Control = ({ spec }) => {
  const typeOf = (volume: object) => Object.keys(volume).find((key) => key !== "name") ?? "none";
  const bad = (spec.volumes ?? []).filter((volume: any) => !openVolumes.has(typeOf(volume)));
  if (bad.length === 0) return undefined;
  const names = bad.map(({ name }: any) => name);
  const types = [...new Set<string>(bad.map(typeOf))].sort();
  const detail =
    `${plural("volume", names)} ${quoted(names)} ${names.length === 1 ? "uses" : "use"} ` +
    `restricted volume ${plural("type", types)} ${quoted(types)}`;
  return { reason: "restricted volume types", detail };
};

const escalation: Control = (pod) => {
  if (isWindows(pod)) return undefined;
  const bad = containersOf(pod).filter(
    ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false,
  );
  const detail = `${named(bad)} must set securityContext.allowPrivilegeEscalation=false`;
  return bad.length > 0 ? { reason: "allowPrivilegeEscalation != false", detail } : undefined;
};

const capabilities: Control = (pod) => {
  if (isWindows(pod)) return undefined;
  const of = ({ securityContext }: any) => securityContext?.capabilities ?? {};
  const keeping = containersOf(pod).filter((one) => !of(one).drop?.includes("ALL"));
  const strange = (one: any): string[] =>
    (of(one).add ?? []).filter((name: string) => name !== "NET_BIND_SERVICE");
  const adding = containersOf(pod).filter((one) => strange(one).length > 0);
  const parts: string[] = [];
  if (keeping.length > 0) {
    parts.push(`${named(keeping)} must set securityContext.capabilities.drop=["ALL"]`);
  }
  if (adding.length > 0) {
    const names = quoted([...new Set(adding.flatMap(strange))].sort());
    parts.push(`${named(adding)} must not include ${names} in securityContext.capabilities.add`);
  }
  const detail = parts.join("; ");
  return parts.length > 0 ? { reason: "unrestricted capabilities", detail } : undefined;
};

const nonRoot: Control = (pod) => {
  const reason = "runAsNonRoot != true";
  const ofPod = pod.spec.securityContext?.runAsNonRoot;
  const told = containersOf(pod).filter((one) => one.securityContext?.runAsNonRoot === false);
  if (told.length > 0) {
    return { reason, detail: `${named(told)} must not set securityContext.runAsNonRoot=false` };
  }
  const open = containersOf(pod).filter(
    (one) => (one.securityContext?.runAsNonRoot ?? ofPod) !== true,
  );
  if (open.length === 0) return undefined;
  return ofPod === false
    ? { reason, detail: "pod must not set securityContext.runAsNonRoot=false" }
    : { reason, detail: `pod or ${named(open)} must set securityContext.runAsNonRoot=true` };
};

const nonRootUser: Control = (pod) => {
  const parts: string[] = [];
  if (pod.spec.securityContext?.runAsUser === 0) parts.push("pod must not set runAsUser=0");
  const bad = containersOf(pod).filter(({ securityContext }) => securityContext?.runAsUser === 0);
  if (bad.length > 0) parts.push(`${named(bad)} must not set runAsUser=0`);
  return parts.length > 0 ? { reason: "runAsUser=0", detail: parts.join(", ") } : undefined;
};

const seccomp: Control = (pod) => {
  if (isWindows(pod)) return undefined;
  const ofPod = pod.spec.securityContext?.seccompProfile?.type;
  const open = containersOf(pod).filter(({ securityContext }) => {
    const type = securityContext?.seccompProfile?.type ?? ofPod;
    return type !== "RuntimeDefault" && type !== "Localhost";
  });
  const detail =
    `pod or ${named(open)} must set securityContext.seccompProfile.type to ` +
    '"RuntimeDefault" or "Localhost"';
  return open.length > 0 ? { reason: "seccompProfile", detail } : undefined;
};

/** In place of the baseline's controls of the same name. */
export const restricted: Control[] = [
  escalation,
  capabilities,
  volumeTypes,
  nonRoot,
  nonRootUser,
  seccomp,
];
