import { unresolvable, type Filter } from "../filter.ts";

const verdict = unresolvable("node(s) didn't match the requested node name");

export const nodeName: Filter = {
  name: "NodeName",
  wakes: ["node"],
  prepare({ pod }) {
    const wanted: string | undefined = pod.spec?.nodeName;
    return wanted ? (node) => (node.name === wanted ? undefined : verdict) : undefined;
  },
};
