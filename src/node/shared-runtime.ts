// One runtime under several nodes of one machine: each sees the pods that it started itself, by a label of
// their sandboxes. Images are everybody's, and the machine's first node looks after them.
import type { Runtime, RuntimePod, SandboxConfig } from "./runtime.ts";

const label = "kerb.dev/node";

const isOf = ({ sandboxes }: RuntimePod, node: string | undefined) =>
  sandboxes.some(({ labels }) => labels[label] === node);

/** `node`: absent for the machine's first node, whose pods carry no label. */
export function shareRuntime(runtime: Runtime, node?: string): Runtime {
  const own = (pod: RuntimePod | undefined) => (pod && isOf(pod, node) ? pod : undefined);
  const shared: Partial<Runtime> = {
    pods: async () => new Map([...(await runtime.pods())].filter(([, pod]) => isOf(pod, node))),
    pod: async (uid) => own(await runtime.pod(uid)),
  };
  if (node !== undefined) {
    shared.runSandbox = (config: SandboxConfig) =>
      runtime.runSandbox({ ...config, labels: { ...config.labels, [label]: node } });
    shared.listImages = async () => [];
    shared.close = async () => {};
  } else {
    // What the others use is in use.
    shared.listImages = async () => {
      const [images, pods] = await Promise.all([runtime.listImages(), runtime.pods()]);
      const others = [...pods.values()].filter((pod) => !isOf(pod, undefined));
      const used = new Set(others.flatMap((pod) => pod.containers.map(({ imageId }) => imageId)));
      return images.filter(({ id }) => !used.has(id));
    };
  }
  return new Proxy(runtime, {
    get(target, name) {
      const changed = shared[name as keyof Runtime];
      if (changed) return changed;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
