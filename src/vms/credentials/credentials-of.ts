// What a VMI says of who may log in to its guest: Secrets, each with one way into the guest. Pure. A Secret that goes in
// by the agent is a volume that no container mounts: the node reads it, QEMU never does.
import type { DomainCredential } from "../domain.ts";
import { launcherPaths } from "../domain.ts";

const seeds = ["noCloud", "configDrive"] as const;

export function credentialsOf({ accessCredentials = [] }: any): DomainCredential[] {
  return accessCredentials.map(({ sshPublicKey, userPassword }: any, i: number) => {
    const volume = `vm-access-${i}`;
    if (userPassword) return { volume, passwords: true };
    const { propagationMethod } = sshPublicKey;
    const seed = seeds.find((style) => propagationMethod[style]);
    return seed ? { volume, seed } : { volume, users: propagationMethod.qemuGuestAgent.users };
  });
}

/** The volumes of a launcher pod with them. */
export function credentialVolumes(spec: any) {
  const all = credentialsOf(spec);
  const secretOf = (i: number) => {
    const { sshPublicKey, userPassword } = spec.accessCredentials[i];
    return (userPassword ?? sshPublicKey).source.secret;
  };
  return {
    volumes: all.map(({ volume }, i) => ({ name: volume, secret: secretOf(i) })),
    volumeMounts: all
      .filter(({ seed }) => seed)
      .map(({ volume }) => ({
        name: volume,
        mountPath: launcherPaths.credential(volume),
        readOnly: true,
      })),
  };
}
