// VMs on two nodes: they run as pods, outlive Kerb, move while they run, and come back when QEMU is killed.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { guestArchive, guestArgs, guestImage, guestPaths, untilGuest } from "../support/guest.ts";
import { Machine } from "../support/machine.ts";
import { qemusOf } from "../support/qemu-process.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { Talker } from "../support/talker.ts";

let site: Site;
const machine = new Machine();
/** Of no cluster; answers reach it without passing the site. */
const client = new Machine();
const evilImage = "docker.io/kerb/evil:1";

/** A qcow2 image whose content is said to lie in a file of the host. */
function evilDisk(): Buffer {
  const file = "/etc/shadow";
  const header = Buffer.alloc(2 ** 16);
  header.write("QFI\xfb", "latin1");
  header.writeUInt32BE(3, 4);
  header.writeBigUInt64BE(112n, 8);
  header.writeUInt32BE(file.length, 16);
  header.writeUInt32BE(16, 20);
  header.writeBigUInt64BE(2n ** 20n, 24);
  header.write(file, 112);
  return header;
}

before(async () => {
  await machine.start();
  site = await startSite("--vms", "--name", "first", "--listen", machine.hostAddress);
  const said = await site.kerb("token", "create");
  const words = /kerb join (.*)/.exec(said)![1]!.split(" ");
  await machine.join(...words, "--name", "second", "--vms");
  await client.start();
  await client.plugInto(machine);
  const archive = join(site.directory, "guest.tar");
  writeFileSync(archive, guestArchive());
  const evil = join(site.directory, "evil.tar");
  writeFileSync(evil, guestArchive({ name: evilImage, disk: evilDisk() }));
  await site.kerb("image", "import", archive);
  await site.kerb("image", "import", evil);
  await machine.kerb("image", "import", archive);
});
after(async () => {
  await client.remove();
  await machine.remove();
  await site.remove();
});

const fromSecret = (secretName: string, propagationMethod: object) => ({
  source: { secret: { secretName } },
  propagationMethod,
});
const ofAgent = { qemuGuestAgent: { users: ["root"] } };

const spec = (image: string) => ({
  accessCredentials: [
    { sshPublicKey: fromSecret("seed-keys", { noCloud: {} }) },
    { sshPublicKey: fromSecret("keys", ofAgent) },
    { userPassword: fromSecret("passwords", { qemuGuestAgent: {} }) },
  ],
  terminationGracePeriodSeconds: 20,
  evictionStrategy: "LiveMigrate",
  domain: {
    memory: { guest: "112Mi" },
    firmware: {
      kernelBoot: {
        kernelArgs: `${guestArgs} run=count`,
        container: {
          image: guestImage,
          kernelPath: guestPaths.kernel,
          initrdPath: guestPaths.initrd,
        },
      },
    },
    devices: {
      disks: [
        { name: "root", disk: { bus: "virtio" } },
        { name: "data", disk: { bus: "virtio" } },
        { name: "seed", disk: { bus: "virtio" } },
      ],
      interfaces: [{ name: "default", masquerade: {} }],
    },
  },
  networks: [{ name: "default", pod: {} }],
  volumes: [
    { name: "root", containerDisk: { image } },
    { name: "data", emptyDisk: { capacity: "16Mi" } },
    {
      name: "seed",
      cloudInitNoCloud: { userData: "#!/bin/sh\necho printed from cloud-init userdata\n" },
    },
  ],
});

const machineOf = (name: string, image = guestImage, node = "first") =>
  JSON.stringify({
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachine",
    metadata: { name },
    spec: {
      runStrategy: "Always",
      template: {
        metadata: { labels: { app: name } },
        spec: {
          ...spec(image),
          affinity: {
            nodeAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                {
                  weight: 100,
                  preference: {
                    matchFields: [{ key: "metadata.name", operator: "In", values: [node] }],
                  },
                },
              ],
            },
          },
        },
      },
    },
  });

const service = (name: string, spec: object) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { selector: { app: "guest" }, ...spec },
  });

const vmi = (name: string) => site.get("vmi", name);
const isTrue = (object: any, type: string) =>
  object.status?.conditions?.some((one: any) => one.type === type && one.status === "True");
const podOf = async (name: string) => {
  const { items } = await site.get(
    "pods",
    "-l",
    `app=${name}`,
    "--sort-by=.metadata.creationTimestamp",
  );
  return items.filter(({ status }: any) => status.phase === "Running").at(-1);
};

/** What the guest serves under a name. */
function page(address: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: address, path, timeout: 10_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.once("end", () => resolve(text.trim()));
    });
    request.once("timeout", () => request.destroy(new Error("no answer")));
    request.once("error", reject);
  });
}

let bootId: string;
let nodePort: number;
/** A new connection to a node's port. */
const pageFromOutside = async (node: string) => {
  const curl = ["curl", "-fsS", "--max-time", "10", `http://${node}:${nodePort}/boot`];
  return (await client.run(...curl)).trim();
};
const addressOf = async (name: string) => (await vmi(name)).status.interfaces[0].ipAddress;
const boot = async (name: string) => page(await addressOf(name), "/boot");

/** Its boot's id where it is now; where it does not answer, its last words say why. */
async function bootThere(what: string) {
  const lastWords = async () =>
    site.kubectl(["logs", "--tail=20", (await podOf("guest")).metadata.name]);
  return eventually(() => boot("guest"), what).catch(async (error: Error) => {
    throw new Error(`${error.message}\n${await lastWords().catch(String)}`);
  });
}

test("a VM runs as a pod: its console is the log, its agent answers, a Service reaches it", async () => {
  const secrets = { "seed-keys": "a=ssh-rsa SEED", keys: "a=ssh-rsa ONE", passwords: "root=open" };
  for (const [name, literal] of Object.entries(secrets)) {
    await site.kubectl(["create", "secret", "generic", name, `--from-literal=${literal}`]);
  }
  await site.apply(machineOf("guest"));
  await untilGuest(async () => isTrue(await vmi("guest"), "AgentConnected"), "the agent").catch(
    async (error) => {
      throw new Error(`${error.message}\n${await site.kubectl(["logs", "-l", "app=guest"])}`);
    },
  );
  await eventually(async () => (await vmi("guest")).status.guestOSInfo.kernelRelease, "its system");
  const now = await vmi("guest");
  assert.equal(now.status.phase, "Running");
  assert.equal(now.status.interfaces[0].interfaceName, "eth0");
  assert.ok(isTrue(now, "LiveMigratable"));
  const { metadata } = await podOf("guest");
  const log = await site.kubectl(["logs", metadata.name]);
  assert.match(log, /printed from cloud-init userdata/);
  assert.match(log, /GUEST keys "public-keys":{"0":"ssh-rsa SEED"}/);
  await site.apply(service("guest", { type: "NodePort", ports: [{ port: 80 }] }));
  const { clusterIP, ports } = (await site.get("service", "guest")).spec;
  nodePort = ports[0].nodePort;
  bootId = await eventually(() => page(clusterIP, "/boot"), "its page");
  assert.match(bootId, /^[0-9a-f]{16}$/);
  assert.equal(await pageFromOutside(machine.hostAddress), bootId);
});

test("people log in as Secrets say, also when those change", async () => {
  const address = await addressOf("guest");
  await eventually(
    async () => isTrue(await vmi("guest"), "AccessCredentialsSynchronized"),
    "the guest was told",
  );
  assert.equal(await page(address, "/chpasswd"), "root:open");
  const keys = "/root/.ssh/authorized_keys";
  assert.equal(await page(address, keys), "ssh-rsa ONE");
  await site.kubectl(["patch", "secret", "keys", "-p", '{"stringData":{"a":"ssh-rsa TWO"}}']);
  await untilGuest(async () => (await page(address, keys)) === "ssh-rsa TWO", "the other key");
});

test("a VM does not notice that Kerb is killed, and is known again", async () => {
  const address = await addressOf("guest");
  process.kill(site.pid, "SIGKILL");
  assert.equal(await eventually(() => page(address, "/boot"), "its page without Kerb"), bootId);
  await site.up("--vms", "--listen", machine.hostAddress);
  await eventually(async () => isTrue(await vmi("guest"), "Ready"), "it is ready again");
  assert.equal(await eventually(() => boot("guest"), "its page again"), bootId);
});

const talkers: Talker[] = [];
after(() => talkers.forEach((one) => one.end()));

/** The guest's server forgets whom it is slow to accept, so a client begins once it was heard. */
const talkerTo = (host: string) =>
  eventually(async () => {
    const one = new Talker(host, 7);
    await eventually(async () => one.heard > 0 || one.trouble, "its first line");
    if (!one.trouble) return one;
    one.end();
    return undefined;
  }, `a connection to ${host}`);

/** Both connections are the ones they were, and every line came back. */
async function stillTalking() {
  for (const one of talkers) {
    const sent = one.sent;
    await eventually(async () => one.heard > sent || one.trouble, "the next line of a client");
    assert.equal(one.trouble, undefined, `the client of ${one.host}`);
  }
}

const mayTellFaults = readFileSync("/proc/sys/vm/unprivileged_userfaultfd", "utf8").trim() === "1";

test("a VM moves to another node while it runs, with its disks, and its clients stay connected", async () => {
  // It goes on there before its memory is there where the machine lets it, and else moves all the same.
  await site.apply(
    JSON.stringify({
      apiVersion: "migrations.kubevirt.io/v1alpha1",
      kind: "MigrationPolicy",
      metadata: { name: "soon" },
      spec: {
        selectors: {
          virtualMachineInstanceSelector: { app: "guest" },
          namespaceSelector: { "kubernetes.io/metadata.name": "default" },
        },
        ...{ allowPostCopy: true, completionTimeoutPerGiB: 1 },
      },
    }),
  );
  await site.apply(service("echo", { ports: [{ port: 7 }] }));
  const { clusterIP } = (await site.get("service", "echo")).spec;
  const address = await addressOf("guest");
  for (const host of [address, clusterIP]) talkers.push(await talkerTo(host));
  await stillTalking();
  await site.apply(
    JSON.stringify({
      apiVersion: "kubevirt.io/v1",
      kind: "VirtualMachineInstanceMigration",
      metadata: { name: "move" },
      spec: { vmiName: "guest" },
    }),
  );
  const moved = await eventually(async () => {
    const found = await site.get("vmim", "move");
    assert.notEqual(found.status?.phase, "Failed", JSON.stringify(found.status));
    return found.status?.phase === "Succeeded" && found;
  }, "the migration");
  await site.kubectl(["delete", "migrationpolicy", "soon"]);
  assert.equal(moved.status.migrationState.migrationPolicyName, "soon");
  assert.equal(moved.status.migrationState.targetNode, "second");
  const [condition] = moved.status.conditions ?? [];
  assert.equal(moved.status.migrationState.mode, mayTellFaults ? "PostCopy" : "PreCopy");
  if (!mayTellFaults)
    assert.match(condition.message, /not supported.*unprivileged_userfaultfd of its node is 0/);
  const now = await vmi("guest");
  assert.equal(now.status.nodeName, "second");
  assert.equal(await addressOf("guest"), address);
  assert.equal(await bootThere("the guest elsewhere"), bootId);
  for (const node of [machine.hostAddress, machine.address]) {
    assert.equal(await pageFromOutside(node), bootId);
  }
  await stillTalking();
});

test("a drained node's VM moves, and its pod goes only then", async () => {
  const drain = ["drain", "second", "--ignore-daemonsets", "--delete-emptydir-data", "--force"];
  await site.kubectl([...drain, "--timeout=120s"]);
  const now = await vmi("guest");
  assert.equal(now.status.nodeName, "first");
  assert.equal(await bootThere("the guest back here"), bootId);
  await stillTalking();
  await site.kubectl(["uncordon", "second"]);
});

test("an image that names a file of the host is refused by the volume's name", async () => {
  await site.apply(machineOf("evil", evilImage));
  const why = await eventually(async () => {
    const events = await site.kubectl(["get", "events", "-o", "jsonpath={.items[*].message}"]);
    return /volume root: the image has a backing file/.exec(events)?.[0];
  }, "the refusal");
  assert.ok(why);
  await site.kubectl(["delete", "vm", "evil", "--wait=false"]);
});

test("a VM whose QEMU is killed runs again, with its own MAC", async () => {
  const before = await vmi("guest");
  process.kill(qemusOf("default_guest", site.directory)[0]!, "SIGKILL");
  const now = await eventually(async () => {
    const found = await vmi("guest");
    return found.metadata.uid !== before.metadata.uid && found.status?.phase === "Running" && found;
  }, "a new instance");
  assert.equal(now.status.interfaces[0].mac, before.status.interfaces[0].mac);
});
