// Every pod runs as a service account of its namespace, finds the account's token, the cluster's CA and
// its own namespace under one path, and pulls images with the account's secrets.
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Random } from "../../lib/random.ts";
import type { Store } from "../../store/store.ts";
import type { Admission, AdmissionRequest } from "../policy.ts";
import type { ObjectReader } from "./object-reader.ts";
import { isAbout, refuse } from "./refuse.ts";

const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount";
const volumePrefix = "kube-api-access-";
const mirrorAnnotation = "kubernetes.io/config.mirror";

/** A new namespace's `default` account is made by a controller; a pod may be faster on a busy machine. */
const waitMsMax = 5000;

/** Resolves when `key` is written or `ms` are over. */
function written(store: Store, clock: Clock, key: string, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stop();
      cancel();
      resolve();
    };
    const cancel = clock.after(ms, done);
    const prefix = key.slice(0, key.lastIndexOf("/") + 1);
    const stop = store.subscribe(prefix, (events) => {
      if (events.some((event) => event.key === key)) done();
    });
  });
}

/** The token lives an hour and seven seconds: the seven tell the server who asks (token-request.ts). */
const accessVolume = (name: string) => ({
  name,
  projected: {
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      {
        downwardAPI: {
          items: [
            { path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } },
          ],
        },
      },
    ],
    defaultMode: 420,
  },
});

/** The spec with the account's credentials in every container that has nothing at their path. */
export function withToken(spec: any, random: Random) {
  const present = (spec.volumes ?? []).find((one: any) => one.name?.startsWith(volumePrefix));
  const name = present?.name ?? volumePrefix + random.suffix(5);
  let needed = false;
  const mounted = (containers: any[]) =>
    containers.map((container) => {
      const mounts = container.volumeMounts ?? [];
      if (mounts.some((mount: any) => mount.mountPath === tokenPath)) return container;
      needed = true;
      const mount = { name, readOnly: true, mountPath: tokenPath };
      return { ...container, volumeMounts: [...mounts, mount] };
    });
  const next = { ...spec, containers: mounted(spec.containers ?? []) };
  if (spec.initContainers) next.initContainers = mounted(spec.initContainers);
  if (needed && !present) next.volumes = [...(spec.volumes ?? []), accessVolume(name)];
  return next;
}

export interface ServiceAccountOptions {
  store: Store;
  reader: ObjectReader;
  clock: Clock;
  random: Random;
}

export function serviceAccount(options: ServiceAccountOptions): Admission {
  const { store, reader, clock, random } = options;

  async function find(request: AdmissionRequest, name: string): Promise<KubeObject> {
    const key = `serviceaccounts/${request.namespace}/${name}`;
    let account = await reader.get(key);
    if (!account && name === "default") {
      await written(store, clock, key, waitMsMax);
      account = await reader.get(key);
    }
    if (account) return account;
    throw refuse(
      request,
      `error looking up service account ${request.namespace}/${name}: serviceaccount "${name}" not found`,
    );
  }

  return {
    name: "ServiceAccount",
    async mutate(request) {
      if (request.operation !== "CREATE" || !isAbout(request, "pods")) return;
      const pod = request.object!;
      if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined) return;
      const name = pod.spec.serviceAccountName || pod.spec.serviceAccount || "default";
      const account = await find(request, name);
      let spec = { ...pod.spec, serviceAccountName: name, serviceAccount: name };
      if (spec.automountServiceAccountToken ?? account["automountServiceAccountToken"] ?? true) {
        spec = withToken(spec, random);
      }
      if (!spec.imagePullSecrets?.length && account["imagePullSecrets"]?.length) {
        spec.imagePullSecrets = structuredClone(account["imagePullSecrets"]);
      }
      pod.spec = spec;
    },
  };
}
