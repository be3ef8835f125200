// A claim that one pod alone may use (ReadWriteOncePod) is not given to a second.
import { resolvable, type Filter } from "../filter.ts";
import { claimsOf } from "./volumes.ts";

const verdict = resolvable(
  "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
);

export const volumeRestrictions: Filter = {
  name: "VolumeRestrictions",
  wakes: ["pod-removed", "volume"],
  prepare(pod, { volumes, podsOfNamespace }) {
    const single = claimsOf(pod).filter(({ name }) =>
      volumes.claim(pod.namespace, name)?.spec?.accessModes?.includes("ReadWriteOncePod"),
    );
    if (single.length === 0) return undefined;
    const names = new Set(single.map(({ name }) => name));
    // Asked on each node, since a victim of preemption may leave while nodes are judged.
    return () => {
      for (const other of podsOfNamespace.get(pod.namespace) ?? []) {
        if (other.uid !== pod.uid && claimsOf(other).some(({ name }) => names.has(name)))
          return verdict;
      }
      return undefined;
    };
  },
};
