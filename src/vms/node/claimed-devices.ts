// Devices of claims that a guest is to get, found at the node once they are allocated: the claim says which device it
// is, the driver's ResourceSlice says by its attributes where that lies. Who starts QEMU waits for the answer.
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { badRequest, isStatus } from "../../lib/status-error.ts";
import { domainAnnotation } from "../domain.ts";
import type { Domain } from "../domain.ts";
import { isClaimed } from "../host-devices.ts";
import type { ClaimedDevice, GrantedDevice } from "../host-devices.ts";
import { claimedFile } from "../prepare/claimed-devices.ts";
import type { ClaimedAnswer } from "../prepare/claimed-devices.ts";

const resourceClaims = resource("resource.k8s.io/v1", "resourceclaims");
const resourceSlices = resource("resource.k8s.io/v1", "resourceslices");

interface Attribute {
  string?: string;
  int?: number;
}

/** Kubernetes' own, and those of a driver, in its domain or without one. */
const attributes = {
  pci: "resource.kubernetes.io/pciBusID",
  mediated: "mDevUUID",
  usbBus: "usbBus",
  usbDevice: "usbDevice",
} as const;

const pciAddress = /^[0-9a-f]{4}:[0-9a-f]{2}:[0-1][0-9a-f]\.[0-7]$/i;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The claim that an entry of the pod's `resourceClaims` means, if it is known yet. */
export function claimNameIn(pod: KubeObject, entry: string): string | undefined {
  const said = pod.spec.resourceClaims?.find(({ name }: any) => name === entry);
  const made = pod.status?.resourceClaimStatuses?.find(({ name }: any) => name === entry);
  return said?.resourceClaimName ?? made?.resourceClaimName;
}

interface Place {
  driver: string;
  pool: string;
  device: string;
}

function placeOf({ name, request }: ClaimedDevice, claim: KubeObject): Place {
  const results: any[] = claim.status?.allocation?.devices?.results ?? [];
  const own = results.filter(
    (one) => one.request === request || one.request.startsWith(`${request}/`),
  );
  if (own.length === 1) return own[0];
  const why = `request ${request} of claim ${claim.metadata.name} has ${own.length} devices`;
  throw badRequest(`device ${name}: ${why}, and a guest's device is one`);
}

const valueOf = ({ string, int }: Attribute = {}) => string ?? (int === undefined ? "" : `${int}`);

/** What it is to QEMU; throws for a device whose attributes do not say. */
export function claimedDevice(
  device: ClaimedDevice,
  claim: KubeObject,
  slices: KubeObject[],
): GrantedDevice {
  const { driver, pool, device: wanted } = placeOf(device, claim);
  const found = slices
    .filter(({ spec }) => spec.driver === driver && spec.pool.name === pool)
    .sort((a, b) => b.spec.pool.generation - a.spec.pool.generation)
    .flatMap(({ spec }) => spec.devices ?? [])
    .find(({ name }: any) => name === wanted);
  const said: Record<string, Attribute> = found?.attributes ?? {};
  const read = (name: string) => valueOf(said[name] ?? said[`${driver}/${name}`]);
  const { name } = device;
  const pci = read(attributes.pci);
  if (pciAddress.test(pci)) return { name, kind: "pci", at: pci };
  const mediated = read(attributes.mediated);
  if (uuid.test(mediated)) return { name, kind: "mediated", at: mediated };
  const usb = `${read(attributes.usbBus)}:${read(attributes.usbDevice)}`;
  if (/^\d+:\d+$/.test(usb)) return { name, kind: "usb", at: usb };
  const why = `has no attribute ${attributes.pci}, ${attributes.mediated}, or ${attributes.usbBus} and ${attributes.usbDevice}`;
  throw badRequest(`device ${name}: ${wanted} of driver ${driver} ${why}`);
}

interface Around {
  client: Client;
  node: string;
  /** Kerb's notes about the pod. */
  notes: string;
}

/** The devices of a pod's claims; undefined while not all are allocated. */
async function find(pod: KubeObject, devices: ClaimedDevice[], { client, node }: Around) {
  const { namespace } = pod.metadata;
  const here = { fieldSelector: `spec.nodeName=${node}` };
  const slices = await client.list(resourceSlices, here);
  const found: GrantedDevice[] = [];
  for (const device of devices) {
    const name = claimNameIn(pod, device.claim);
    if (!name) return undefined;
    const claim = await client
      .get({ ...resourceClaims, namespace, name })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
    if (!claim?.status?.allocation) return undefined;
    found.push(claimedDevice(device, claim, slices.items));
  }
  return found;
}

/** False while it is not known which devices a pod's claims are. */
export async function tellClaimedDevices(pod: KubeObject, around: Around): Promise<boolean> {
  const domain = JSON.parse(pod.metadata.annotations![domainAnnotation]!) as Domain;
  const devices = (domain.hostDevices ?? []).filter(isClaimed);
  if (devices.length === 0) return true;
  const answer = await find(pod, devices, around).then(
    (found): ClaimedAnswer | undefined => found && { devices: found },
    (error: unknown): ClaimedAnswer => {
      if (!isStatus(error, "BadRequest")) throw error;
      return { error: (error as Error).message };
    },
  );
  if (!answer) return false;
  await mkdir(around.notes, { recursive: true, mode: 0o700 });
  const file = join(around.notes, claimedFile);
  await writeFile(`${file}.new`, JSON.stringify(answer));
  await rename(`${file}.new`, file);
  return true;
}
