import { resolvable, type Filter } from "../filter.ts";

const verdict = resolvable("node(s) didn't have free ports for the requested pod ports");

export const nodePorts: Filter = {
  name: "NodePorts",
  wakes: ["node", "pod-removed"],
  prepare({ hostPorts }) {
    if (hostPorts.length === 0) return undefined;
    return (node) => (hostPorts.some((port) => node.portTaken(port)) ? verdict : undefined);
  },
};
