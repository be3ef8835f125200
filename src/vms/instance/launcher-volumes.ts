// A VMI's volumes as volumes of its pod, mounted where QEMU looks for them. Pure.
import { credentialVolumes } from "../credentials/credentials-of.ts";
import { launcherPaths, runVolume } from "../domain.ts";

/** A volume whose files the guest shares: mounted not by QEMU but beside it. */
export interface Share {
  name: string;
  readOnly?: boolean;
}

export interface PodVolumes {
  shares: Share[];
  volumes: any[];
  volumeMounts: any[];
  volumeDevices: any[];
  imagePullSecrets: { name: string }[];
}

export interface VolumeContext {
  /** Claims whose volumeMode is Block. */
  isBlock: (claim: string) => boolean;
}

type Reader = (name: string, source: any, context: VolumeContext) => Partial<PodVolumes>;

const mounted = (name: string, source: object, readOnly = false): Partial<PodVolumes> => ({
  volumes: [{ name, ...source }],
  volumeMounts: [{ name, mountPath: launcherPaths.disk(name), ...(readOnly && { readOnly }) }],
});

function claim(name: string, claimName: string, { isBlock }: VolumeContext, readOnly = false) {
  const source = { persistentVolumeClaim: { claimName, ...(readOnly && { readOnly }) } };
  if (!isBlock(claimName)) return mounted(name, source, readOnly);
  const devicePath = launcherPaths.disk(name);
  return { volumes: [{ name, ...source }], volumeDevices: [{ name, devicePath }] };
}

function image(
  name: string,
  { image: reference, imagePullPolicy, imagePullSecret }: any,
  path?: string,
) {
  const source = { reference, ...(imagePullPolicy && { pullPolicy: imagePullPolicy }) };
  return {
    volumes: [{ name, image: source }],
    volumeMounts: [{ name, mountPath: path ?? launcherPaths.disk(name), readOnly: true }],
    ...(imagePullSecret && { imagePullSecrets: [{ name: imagePullSecret }] }),
  };
}

const secret = (name: string, secretName: string, mountPath: string) => ({
  volumes: [{ name, secret: { secretName } }],
  volumeMounts: [{ name, mountPath, readOnly: true }],
});

function cloudInit(name: string, source: any): Partial<PodVolumes> {
  const { secretRef, networkDataSecretRef } = source;
  const parts = [
    secretRef && secret(`${name}-user`, secretRef.name, launcherPaths.cloudInitUser(name)),
    networkDataSecretRef &&
      secret(`${name}-network`, networkDataSecretRef.name, launcherPaths.cloudInitNetwork(name)),
  ].filter(Boolean);
  return merged(parts);
}

const tokenSeconds = 3600;

const accountToken = {
  projected: {
    sources: [
      { serviceAccountToken: { path: "token", expirationSeconds: tokenSeconds } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      {
        downwardAPI: {
          items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }],
        },
      },
    ],
  },
};

const folder = (path: string) => path.slice(0, path.lastIndexOf("/")) || "/";

const readers: Record<string, Reader> = {
  containerDisk: (name, source) => image(name, source),
  persistentVolumeClaim: (name, { claimName, readOnly }, context) =>
    claim(name, claimName, context, readOnly),
  dataVolume: (name, source, context) => claim(name, source.name, context),
  ephemeral: (name, { persistentVolumeClaim: { claimName } }, context) =>
    claim(name, claimName, context, true),
  hostDisk: (name, { path, type }) =>
    mounted(name, {
      hostPath: {
        path: folder(path),
        type: type === "DiskOrCreate" ? "DirectoryOrCreate" : "Directory",
      },
    }),
  cloudInitNoCloud: cloudInit,
  cloudInitConfigDrive: cloudInit,
  configMap: (name, { name: from, optional }) =>
    mounted(name, { configMap: { name: from, ...(optional && { optional }) } }, true),
  secret: (name, { secretName, optional }) =>
    mounted(name, { secret: { secretName, ...(optional && { optional }) } }, true),
  downwardAPI: (name, { fields }) => mounted(name, { downwardAPI: { items: fields } }, true),
  serviceAccount: (name) => mounted(name, accountToken, true),
  sysprep: (name, { configMap, secret: from }) =>
    mounted(
      name,
      configMap ? { configMap: { name: configMap.name } } : { secret: { secretName: from?.name } },
      true,
    ),
};

function merged(parts: Partial<PodVolumes>[]): PodVolumes {
  const all = <K extends keyof PodVolumes>(key: K) => parts.flatMap((part) => part[key] ?? []);
  return {
    shares: all("shares") as Share[],
    volumes: all("volumes"),
    volumeMounts: all("volumeMounts"),
    volumeDevices: all("volumeDevices"),
    imagePullSecrets: all("imagePullSecrets") as { name: string }[],
  };
}

const shared = ({ volumeMounts = [], ...part }: Partial<PodVolumes>): Partial<PodVolumes> => ({
  ...part,
  shares: volumeMounts.map(({ name, readOnly }) => ({ name, ...(readOnly && { readOnly }) })),
});

/** Volumes that are plugged in while the VM runs come by a pod of their own. */
export const isHotplugged = (volume: any): boolean =>
  Boolean(volume.persistentVolumeClaim?.hotpluggable ?? volume.dataVolume?.hotpluggable);

export function launcherVolumes(spec: any, context: VolumeContext): PodVolumes {
  const run = {
    volumes: [{ name: runVolume, emptyDir: {} }],
    volumeMounts: [
      { name: runVolume, mountPath: launcherPaths.run, mountPropagation: "HostToContainer" },
    ],
  };
  const filesystems: { name: string }[] = spec.domain.devices?.filesystems ?? [];
  const kernel = spec.domain.firmware?.kernelBoot?.container;
  const parts = (spec.volumes ?? [])
    .filter((volume: any) => !isHotplugged(volume))
    .map((volume: any) => {
      const kind = Object.keys(readers).find((name) => volume[name] !== undefined);
      const part = kind ? readers[kind]!(volume.name, volume[kind], context) : {};
      return filesystems.some(({ name }) => name === volume.name) ? shared(part) : part;
    });
  if (kernel) parts.push(image("kernel-boot", kernel, launcherPaths.kernel));
  return merged([run, ...parts, credentialVolumes(spec)]);
}
