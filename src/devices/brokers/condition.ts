import type { KubeObject } from "../../kinds/object.ts";

interface Condition {
  type: string;
  status: string;
  lastTransitionTime?: string;
}

export const conditionOf = ({ status }: KubeObject, type: string): Condition | undefined =>
  status?.conditions?.find((one: Condition) => one.type === type);
