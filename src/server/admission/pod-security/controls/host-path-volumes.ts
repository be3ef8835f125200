import { counted } from "../control.ts";
import type { Check, Control } from "../control.ts";

const check: Check = ({ spec }) => {
  const bad = (spec.volumes ?? []).filter(({ hostPath }: any) => hostPath);
  if (bad.length === 0) return undefined;
  return {
    reason: "hostPath volumes",
    detail: counted(
      "volume",
      bad.map(({ name }: any) => name),
    ),
  };
};

export const hostPathVolumes: Control = {
  id: "hostPathVolumes",
  level: "baseline",
  versions: [{ since: 0, check }],
};
