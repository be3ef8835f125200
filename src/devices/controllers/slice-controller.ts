// Offers every approved Instance's slots as a ResourceSlice, less those that others hold.
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";
import { instancesOf } from "./broker-controller.ts";
import { labels } from "../brokers/names.ts";
import { driverName, poolOf, sliceName } from "../dra/names.ts";
import { namespaceLabel, sliceOf } from "../dra/slice.ts";
import { usableOf } from "./found.ts";
import { configurations } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";

const slices = resource("resource.k8s.io/v1", "resourceslices");
const claims = resource("resource.k8s.io/v1", "resourceclaims");
const classes = resource("resource.k8s.io/v1", "deviceclasses");
const fieldManager = "akri-slice";

interface Result {
  driver: string;
  pool: string;
  device: string;
}

const resultsOf = ({ status }: KubeObject): Result[] =>
  (status?.allocation?.devices?.results ?? []).filter((one: Result) => one.driver === driverName);

async function reconcile(key: string, context: ControllerContext) {
  const { client, informer } = context;
  const [namespace, name] = key.split("/") as [string, string];
  const found = usableOf(key, context);
  const pool = poolOf(namespace, name);
  const results = informer(claims).list().flatMap(resultsOf);
  const allocated = new Set(results.filter((one) => one.pool === pool).map(({ device }) => device));
  const slice = found && sliceOf(found.instance, allocated);
  const known = informer(slices).get(sliceName(namespace, name));
  if (slice) {
    // Where it lies cannot be changed in place.
    const same = known && (known.spec.nodeName ?? "") === (slice["spec"].nodeName ?? "");
    if (known && !same) await client.delete({ ...slices, name: known.metadata.name });
    await apply(client, slices, slice, { fieldManager });
  } else if (known) {
    await client.delete({ ...slices, name: known.metadata.name }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
}

export const deviceSlices: Controller = {
  name: "akri-slice",
  inputs: [
    { resource: instances },
    { resource: configurations, keys: instancesOf },
    {
      resource: slices,
      labelSelector: namespaceLabel,
      keys: ({ metadata }) => [
        `${metadata.labels?.[namespaceLabel]}/${metadata.labels?.[labels.instance]}`,
      ],
    },
    {
      resource: claims,
      keys: (claim, _, previous) =>
        [...resultsOf(claim), ...(previous ? resultsOf(previous) : [])].map(({ pool }) => pool),
    },
  ],
  outputs: [slices, classes],
  async start({ client }) {
    const deviceClass = {
      apiVersion: "resource.k8s.io/v1",
      kind: "DeviceClass",
      metadata: { name: driverName },
      spec: { selectors: [{ cel: { expression: `device.driver == "${driverName}"` } }] },
    };
    await apply(client, classes, deviceClass, { fieldManager });
  },
  reconcile,
};
