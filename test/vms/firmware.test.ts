// What lies between a guest and the machine beside disks and cables: UEFI that remembers and refuses, a TPM that
// remembers, files of volumes that guests share. Each as the guest sees it.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { bootDisk } from "../support/fat.ts";
import {
  guestArgs,
  guestImage,
  guestKernel,
  guestPaths,
  importGuest,
  untilGuest,
} from "../support/guest.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { VmConsole } from "../support/vm-console.ts";

let site: Site;
before(async () => {
  site = await startSite("--vms");
  await importGuest(site);
});
after(() => site?.remove());

interface Wishes {
  guest?: string;
  memory?: string;
  bootloader?: object;
  devices?: object;
  volumes?: object[];
  /** Whether it starts the tests' kernel without a disk. */
  kernel?: boolean;
}

const ownKernel = (words: string) => ({
  kernelArgs: `${guestArgs} ${words}`,
  container: {
    image: guestImage,
    kernelPath: guestPaths.kernel,
    initrdPath: guestPaths.initrd,
  },
});

const machine = (
  name: string,
  { guest = "", memory = "112Mi", kernel = true, ...wishes }: Wishes,
) => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachine",
  metadata: { name },
  spec: {
    runStrategy: "Always",
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 2,
        domain: {
          memory: { guest: memory },
          features: { smm: { enabled: true } },
          devices: wishes.devices ?? {},
          firmware: {
            ...(wishes.bootloader && { bootloader: wishes.bootloader }),
            ...(kernel && { kernelBoot: ownKernel(guest) }),
          },
        },
        volumes: wishes.volumes ?? [],
      },
    },
  },
});

const make = (...objects: object[]) =>
  site.apply(JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));

const logOf = (name: string) =>
  site.kubectl(["logs", "-l", `app=${name}`, "-c", "compute", "--tail=-1"]).catch(() => "");

const untilSaid = (name: string, words: RegExp) =>
  untilGuest(async () => words.exec(await logOf(name)) ?? undefined, `${words} from ${name}`);

async function again(name: string) {
  await site.kubectl(["delete", "vmi", name]);
}

/** Types a line until the guest gives the answer. */
async function inGuest(name: string, line: string, answer: RegExp) {
  const console = await VmConsole.open(site, name);
  try {
    await untilGuest(async () => {
      console.type(line);
      await setTimeout(1000);
      return answer.test(console.said);
    }, `${answer}`);
  } finally {
    console.close();
  }
}

const claimFolder = () => {
  const volumes = join(site.directory, "volumes");
  return join(
    volumes,
    readdirSync(volumes).find((name) => name.includes("files"))!,
  );
};

test("a guest shares the files of a claim and of a ConfigMap, and links lead nowhere on the host", async () => {
  await make(
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "files" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "16Mi" } } },
    },
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "words" }, data: { word: "said" } },
    machine("shares", {
      guest: "share=files,words",
      devices: {
        tpm: { persistent: true },
        filesystems: [
          { name: "files", virtiofs: {} },
          { name: "words", virtiofs: {} },
        ],
      },
      volumes: [
        { name: "files", persistentVolumeClaim: { claimName: "files" } },
        { name: "words", configMap: { name: "words" } },
      ],
    }),
  );
  await untilSaid("shares", /GUEST share words: word/);
  const folder = claimFolder();
  symlinkSync("/etc/hostname", join(folder, "link"));
  symlinkSync("/", join(folder, "root"));
  mkdirSync(join(folder, "inner"), { mode: 0o777 });
  const line =
    "cat /share/words/word; echo from the gue''st >/share/files/told; sync; echo; cat /share/files/told";
  await inGuest("shares", line, /said\s+from the guest/);
  // A line that was typed again empties the file once more.
  await untilGuest(
    async () => readFileSync(join(folder, "told"), "utf8") === "from the guest\n",
    "what the guest wrote, on the host",
  );
  // The guest's own root has neither; of the host's nothing is seen, and nothing of a ConfigMap is written.
  await inGuest("shares", "cat /share/files/link /share/files/root/root; echo se''en $?", /seen 1/);
  await inGuest("shares", "ls /share/files/root/share; echo ro''ot", /files\s+words\s+root/);
  await inGuest("shares", "echo x >/share/words/new; echo wri''te $?", /write 1/);
  const vmi = await site.get("vmi", "shares");
  const able = vmi.status.conditions.find((one: any) => one.type === "LiveMigratable");
  assert.equal(able.reason, "VirtIOFSNotLiveMigratable");
});

test("a TPM that persists remembers from start to start", async () => {
  const resets = async () =>
    Number.parseInt((await untilSaid("shares", /GUEST tpm 2 resets (\w+)/))[1]!, 16);
  const first = await resets();
  await again("shares");
  assert.ok((await resets()) > first);
  const claim = await site.get("pvc", "persistent-state-for-shares");
  assert.equal(claim.metadata.ownerReferences[0].kind, "VirtualMachine");
  await site.kubectl(["delete", "vm", "shares"]);
});

test("UEFI remembers what the guest told it", async () => {
  const efi = { secureBoot: false, persistent: true };
  await make(machine("uefi", { memory: "256Mi", bootloader: { efi } }));
  await untilSaid("uefi", /GUEST efi secure=0 kept=no/);
  await again("uefi");
  await untilSaid("uefi", /GUEST efi secure=0 kept=yes/);
  await site.kubectl(["delete", "vm", "uefi"]);
});

test("secure boot starts nothing that nobody signed, and is not asked for where it would not look", async () => {
  const secure = { efi: { secureBoot: true } };
  const refused = make(machine("kernel", { bootloader: secure }));
  await assert.rejects(refused, /efi.secureBoot.*kernelBoot starts a kernel without/);
  const name = "docker.io/kerb/unsigned:1";
  await importGuest(site, { name, disk: bootDisk(guestKernel()) });
  const from = (bootloader: object) => ({
    ...{ bootloader, kernel: false, memory: "256Mi" },
    devices: { disks: [{ name: "root", disk: { bus: "virtio" } }] },
    volumes: [{ name: "root", containerDisk: { image: name } }],
  });
  await make(machine("open", from({ efi: { secureBoot: false } })));
  await untilSaid("open", /BdsDxe: starting Boot/);
  await site.kubectl(["delete", "vm", "open"]);
  await make(machine("secure", from(secure)));
  await untilSaid("secure", /BdsDxe: failed to load Boot.*Access Denied/);
});
