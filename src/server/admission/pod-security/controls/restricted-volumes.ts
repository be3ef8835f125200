import { counted, plural, quoted, sorted } from "../control.ts";
import type { Check, Control } from "../control.ts";

const allowed = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
];

const typeOf = (volume: Record<string, unknown>) =>
  Object.keys(volume).find((field) => field !== "name" && volume[field]) ?? "unknown";

const check: Check = ({ spec }) => {
  const bad = (spec.volumes ?? []).filter((volume: any) => !allowed.some((type) => volume[type]));
  if (bad.length === 0) return undefined;
  const types = sorted(new Set<string>(bad.map(typeOf)));
  const who = counted(
    "volume",
    bad.map(({ name }: any) => name),
  );
  const uses = bad.length === 1 ? "uses" : "use";
  const what = `${plural("restricted volume type", types.length)} ${quoted(types)}`;
  return { reason: "restricted volume types", detail: `${who} ${uses} ${what}` };
};

export const restrictedVolumes: Control = {
  id: "restrictedVolumes",
  level: "restricted",
  replaces: "hostPathVolumes",
  versions: [{ since: 0, check }],
};
