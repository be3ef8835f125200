// The programs beside QEMU as sidecars of its pod: a TPM, and one for each volume whose files the guest shares. What
// they are is put in their place when they start (prepare/sidecar-bundle.ts). Pure.
import { launcherImage, launcherPaths, runVolume, sidecars } from "../domain.ts";
import type { Domain } from "../domain.ts";
import type { Share } from "./launcher-volumes.ts";

export const stateVolume = "vm-state";

const run = { name: runVolume, mountPath: launcherPaths.run };

const small = { cpu: "10m", memory: "16Mi" };
/** Where QEMU has CPUs of its own, its pod must be bounded in all; the guest's memory is QEMU's. */
const bounded = { cpu: "100m", memory: "96Mi" };

const sidecar = (name: string, mount: object, isBounded: boolean) => ({
  ...{ name, image: launcherImage, imagePullPolicy: "Never", restartPolicy: "Always" },
  resources: isBounded ? { requests: bounded, limits: bounded } : { requests: small },
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
    runAsNonRoot: true,
  },
  volumeMounts: [run, mount],
});

export function launcherSidecars({ tpm, dedicatedCpus }: Domain, shares: Share[]) {
  const bound = dedicatedCpus ?? false;
  const state = { name: stateVolume, mountPath: launcherPaths.state };
  return [
    ...(tpm ? [sidecar(sidecars.tpm, state, bound)] : []),
    ...shares.map(({ name, ...mount }) =>
      sidecar(sidecars.share(name), { ...mount, name, mountPath: launcherPaths.share }, bound),
    ),
  ];
}

/** Where what persists lies, or a TPM that ends with the pod; QEMU sees only the former. */
export function stateVolumes({ state, tpm, firmware }: Domain, claimName: string) {
  if (!state && !tpm) return { volumes: [], volumeMounts: [] };
  const source = state ? { persistentVolumeClaim: { claimName } } : { emptyDir: {} };
  const mounts = firmware.efi?.persistent
    ? [{ name: stateVolume, mountPath: launcherPaths.state }]
    : [];
  return { volumes: [{ name: stateVolume, ...source }], volumeMounts: mounts };
}
