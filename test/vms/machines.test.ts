// Virtual machines as people of KubeVirt use them: manifests, subresources, disks from elsewhere, copies, export.
// The guest is Debian's kernel with busybox, emulated where the machine cannot do better.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { request } from "node:https";
import type { Server } from "node:http";
import { after, before, test } from "node:test";
import { buffer } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { eventually } from "../support/eventually.ts";
import { guestArgs, guestImage, guestPaths, importGuest } from "../support/guest.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { screenOf } from "../support/rfb.ts";
import { act, ask, openSocket, VmConsole } from "../support/vm-console.ts";

let site: Site;
let source: Server;
/** Where pods reach this process. */
let gateway: string;

const diskBytes = 2 ** 20;
const image = Buffer.concat([Buffer.from("from afar\n")], diskBytes);
const backed = Buffer.alloc(512);
backed.write("QFI\xfb", "latin1");
backed.writeUInt32BE(3, 4);
backed.writeBigUInt64BE(104n, 8);
backed.writeUInt32BE(16, 20);
backed.writeBigUInt64BE(BigInt(diskBytes), 24);
const files: Record<string, Buffer> = { "/disk.gz": gzipSync(image), "/backed": backed };

before(async () => {
  site = await startSite("--vms");
  await importGuest(site);
  const [node] = (await site.get("nodes")).items;
  gateway = node.status.addresses.find((one: any) => one.type === "InternalIP").address;
  source = createServer((asked, answer) => answer.end(files[asked.url!]));
  source.listen(0, gateway);
  await once(source, "listening");
});
after(async () => {
  source?.close();
  await site?.remove();
});

const dataVolume = (name: string, from: object) => ({
  apiVersion: "cdi.kubevirt.io/v1beta1",
  kind: "DataVolume",
  metadata: { name },
  spec: {
    source: from,
    pvc: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "2Mi" } } },
  },
});
const urlOf = (path: string) => `http://${gateway}:${(source.address() as any).port}${path}`;

const machine = {
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachine",
  metadata: { name: "till" },
  spec: {
    runStrategy: "Halted",
    template: {
      metadata: { labels: { app: "till" } },
      spec: {
        terminationGracePeriodSeconds: 10,
        domain: {
          devices: {
            disks: [
              { name: "root", disk: { bus: "virtio" } },
              { name: "seed", disk: { bus: "virtio" } },
            ],
          },
          memory: { guest: "128Mi" },
          firmware: {
            kernelBoot: {
              kernelArgs: guestArgs,
              container: {
                image: guestImage,
                kernelPath: guestPaths.kernel,
                initrdPath: guestPaths.initrd,
              },
            },
          },
        },
        volumes: [
          { name: "root", dataVolume: { name: "till-root" } },
          {
            name: "seed",
            cloudInitNoCloud: { userData: "#!/bin/sh\necho GUEST has been told >/dev/console\n" },
          },
        ],
      },
    },
  },
};

const make = (...objects: object[]) =>
  site.apply(JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
const waitFor = (what: string, condition: string) =>
  site.kubectl(["wait", what, `--for=${condition}`, "--timeout=120s"]);
const isPrinted = (name: string, word: string) =>
  waitFor(`vm/${name}`, `jsonpath={.status.printableStatus}=${word}`);

/** Twice a second; an emulated guest on a busy machine takes its time. */
const typedMax = 180;

/** Types a line until the guest, once it has booted, gives the answer. */
async function inGuest(name: string, line: string, answer: RegExp): Promise<string> {
  const console = await VmConsole.open(site, name);
  try {
    for (let tries = 0; tries < typedMax; tries++) {
      console.type(line);
      await setTimeout(500);
      const found = answer.exec(console.said);
      if (found) return found[0];
    }
    throw new Error(`no ${answer} from ${name}, only: ${console.said}`);
  } finally {
    console.close();
  }
}

/** Writes a word to the guest's disk and reads it; what is typed does not look like what is read. */
const write = (word: string) => {
  const typed = `${word.slice(0, 2)}''${word.slice(2)}`;
  const line = `echo ${typed} | dd of=/dev/vda conv=notrunc,fsync; head -c 5 /dev/vda`;
  return inGuest("till", line, new RegExp(word));
};

test("disks come from elsewhere, packed and checked; one that names other files is refused", async () => {
  const checksum = `sha256:${createHash("sha256").update(files["/disk.gz"]!).digest("hex")}`;
  await make(
    dataVolume("till-root", { http: { url: urlOf("/disk.gz"), checksum } }),
    dataVolume("evil", { http: { url: urlOf("/backed") } }),
    dataVolume("extra", { blank: {} }),
  );
  for (const name of ["till-root", "extra"]) {
    await waitFor(`dv/${name}`, "jsonpath={.status.phase}=Succeeded");
  }
  await waitFor("dv/evil", "jsonpath={.status.phase}=Failed");
  const { status } = await site.get("dv", "evil");
  assert.match(JSON.stringify(status.conditions), /has a backing file/);
});

test("a machine starts, applies cloud-init, shows its screen and answers on its console", async () => {
  await make(machine);
  await isPrinted("till", "Stopped");
  await act(site, "virtualmachines/till/start");
  await isPrinted("till", "Running");
  assert.equal(await inGuest("till", "head -c 9 /dev/vda; echo", /from afar/), "from afar");
  const logs = await site.kubectl(["logs", "-l", "vm.kubevirt.io/name=till", "--tail=-1"]);
  assert.match(logs, /GUEST has been told/);
  const shot = await ask(site, "virtualmachineinstances/till/vnc/screenshot");
  assert.match(shot.slice(0, 8), /PNG/);
  const socket = await openSocket(site, "virtualmachineinstances/till/vnc");
  const picture = await screenOf(socket);
  socket.close();
  assert.ok(picture.width >= 640 && picture.pixels.some((byte) => byte !== 0));
  await waitFor("vmi/till", "condition=AgentConnected");
  assert.match(await ask(site, "virtualmachineinstances/till/guestosinfo"), /guestAgentVersion/);
});

test("a Service leads into the guest, and not while it is paused", async () => {
  await make({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "till" },
    spec: { selector: { app: "till" }, ports: [{ port: 80 }] },
  });
  const { spec } = await site.get("service", "till");
  const boot = () => fetch(`http://${spec.clusterIP}/boot`).then((answer) => answer.text());
  assert.match(await eventually(boot, "the guest's web server"), /^[0-9a-f]{16}/);
  await act(site, "virtualmachineinstances/till/pause");
  await isPrinted("till", "Paused");
  const endpoints = async () =>
    (await site.get("endpointslices", "-l", "kubernetes.io/service-name=till")).items[0].endpoints;
  await eventually(
    async () => (await endpoints()).every((one: any) => !one.conditions.ready),
    "no endpoint",
  );
  await act(site, "virtualmachineinstances/till/unpause");
  await isPrinted("till", "Running");
});

test("a disk is plugged in while the guest runs, and pulled out", async () => {
  const body = {
    name: "extra",
    disk: { name: "extra", disk: { bus: "virtio" } },
    volumeSource: { dataVolume: { name: "extra" } },
  };
  await act(site, "virtualmachines/till/addvolume", body);
  await inGuest("till", "cat /proc/partitions", /2048 vdc/);
  await act(site, "virtualmachines/till/removevolume", { name: "extra" });
  await eventually(async () => {
    const { status } = await site.get("vmi", "till");
    return !status.volumeStatus.some((one: any) => one.name === "extra");
  }, "the disk is gone");
});

test("a snapshot of the running machine is restored to it and cloned", async () => {
  const reference = { apiGroup: "kubevirt.io", kind: "VirtualMachine", name: "till" };
  await write("first");
  const copy = { apiVersion: "snapshot.kubevirt.io/v1beta1", metadata: { name: "before" } };
  await make({ ...copy, kind: "VirtualMachineSnapshot", spec: { source: reference } });
  await waitFor("vmsnapshot/before", "jsonpath={.status.readyToUse}=true");
  const { status } = await site.get("vmsnapshot", "before");
  assert.ok(status.indications.includes("Online"));
  await write("later");
  await act(site, "virtualmachines/till/stop");
  await isPrinted("till", "Stopped");
  await make(
    {
      ...copy,
      kind: "VirtualMachineRestore",
      spec: { target: reference, virtualMachineSnapshotName: "before" },
    },
    {
      apiVersion: "clone.kubevirt.io/v1beta1",
      kind: "VirtualMachineClone",
      metadata: { name: "twin" },
      spec: { source: reference, target: { ...reference, name: "twin" } },
    },
  );
  await waitFor("vmrestore/before", "condition=Ready");
  await waitFor("vmclone/twin", "condition=Ready");
  await act(site, "virtualmachines/till/start");
  await isPrinted("till", "Running");
  await inGuest("till", "head -c 5 /dev/vda", /first/);
});

/** Downloads with an export's token. */
async function download(url: string, token: string) {
  const asked = request(url, {
    rejectUnauthorized: false,
    headers: { "x-kubevirt-export-token": token },
  });
  asked.end();
  const [answer] = await once(asked, "response");
  return { code: answer.statusCode, body: await buffer(answer) };
}

test("the disk of the clone, which is stopped, is exported to whoever has the token", async () => {
  const { spec } = await site.get("vm", "twin");
  assert.equal(spec.runStrategy, "Halted");
  await make({
    apiVersion: "export.kubevirt.io/v1",
    kind: "VirtualMachineExport",
    metadata: { name: "out" },
    spec: { source: { apiGroup: "kubevirt.io", kind: "VirtualMachine", name: "twin" } },
  });
  await waitFor("vmexport/out", "jsonpath={.status.phase}=Ready");
  const { status } = await site.get("vmexport", "out");
  const [{ url }] = status.links.external.volumes[0].formats;
  const { data } = await site.get("secret", status.tokenSecretRef);
  const token = Buffer.from(data.token, "base64").toString();
  assert.equal((await download(url, "guessed")).code, 401);
  const { code, body } = await download(url, token);
  assert.equal(code, 200);
  assert.match(body.subarray(0, 5).toString(), /first|later/);
});

test("a machine restarts, and goes with all that is its own", async () => {
  const { metadata } = await site.get("vmi", "till");
  await act(site, "virtualmachines/till/restart");
  await eventually(
    async () => (await site.get("vmi", "till")).metadata.uid !== metadata.uid,
    "another instance",
  );
  await site.kubectl(["delete", "vm", "till", "twin", "--timeout=120s"]);
  await eventually(async () => {
    const pods = await site.get("pods", "-l", "kubevirt.io=virt-launcher");
    return pods.items.length === 0;
  }, "no pods of machines");
});
