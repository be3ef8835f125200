// A tiny guest for VMs: Debian's kernel, busybox and Debian's guest agent in an initramfs, as an image that a
// containerDisk or kernelBoot names. What it does is in guest-init.sh.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ociArchive } from "../../src/containers/oci-archive.ts";
import { ociArchitecture } from "../../src/containers/pause.ts";
import { cpio } from "./cpio.ts";
import { eventually } from "./eventually.ts";
import type { CpioEntry } from "./cpio.ts";
import { librariesOf } from "./libraries-of.ts";
import { root } from "./site.ts";
import type { Site } from "./site.ts";

const debian = join(root, ".cache/guest");

/**
 * What the guest's kernel is told. Before it has a console it looks whether its timer ticks, and gives up without a word
 * where an emulated machine stood still for a moment.
 */
export const guestArgs = "console=ttyS0 no_timer_check quiet";

const modules = [
  "drivers/virtio/virtio_ring.ko",
  "drivers/virtio/virtio.ko",
  "drivers/virtio/virtio_pci_modern_dev.ko",
  "drivers/virtio/virtio_pci_legacy_dev.ko",
  "drivers/virtio/virtio_pci.ko",
  "drivers/virtio/virtio_balloon.ko",
  "drivers/block/virtio_blk.ko",
  "net/core/failover.ko",
  "drivers/net/net_failover.ko",
  "drivers/net/virtio_net.ko",
  "drivers/char/virtio_console.ko",
  "drivers/input/evdev.ko",
  "drivers/acpi/button.ko",
  "drivers/cdrom/cdrom.ko",
  "fs/isofs/isofs.ko",
];

/** Loaded by what of the guest wants them. */
const optionalModules = [
  "fs/fuse/fuse.ko",
  "fs/fuse/virtiofs.ko",
  "fs/efivarfs/efivarfs.ko",
  "net/vmw_vsock/vsock.ko",
  "net/vmw_vsock/vmw_vsock_virtio_transport_common.ko",
  "net/vmw_vsock/vmw_vsock_virtio_transport.ko",
];

const directory = (path: string): CpioEntry => ({ path, mode: 0o040755 });
const program = (path: string, data: Buffer): CpioEntry => ({ path, data, mode: 0o100755 });

const guestAgent = "usr/sbin/qemu-ga";

function agentFiles(): CpioEntry[] {
  const file = join(debian, guestAgent);
  const libraries = librariesOf(file);
  const folders = new Set(
    libraries.flatMap((path) => {
      const parts = path.split("/").slice(1, -1);
      return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
    }),
  );
  return [
    ...[...folders].map(directory),
    ...libraries.map((path) => program(path.slice(1), readFileSync(path))),
    program("bin/qemu-ga", readFileSync(file)),
  ];
}

/** Every applet by its name, as making the links takes an emulated guest a while. */
function applets(): CpioEntry[] {
  const file = "/bin/busybox";
  const names = execFileSync(file, ["--list"], { encoding: "utf8" }).split("\n").filter(Boolean);
  return names
    .filter((name) => name !== "busybox")
    .map((name) => ({ path: `bin/${name}`, data: Buffer.from("busybox"), mode: 0o120777 }));
}

function busybox(): Buffer {
  const file = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path));
  if (!file) throw new Error("busybox-static is not installed");
  return readFileSync(file);
}

/** memory-judge.c, for the guest. */
function memoryJudge(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "kerb-judge-"));
  try {
    const file = join(folder, "judge");
    const source = join(import.meta.dirname, "memory-judge.c");
    const bare = [
      "-O2",
      "-ffreestanding",
      "-fno-stack-protector",
      "-fno-pic",
      "-mgeneral-regs-only",
    ];
    const linked = ["-static", "-nostdlib", "-fuse-ld=lld"];
    execFileSync("clang", [...bare, ...linked, "-o", file, source]);
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const bootFolder = join(debian, "boot");

export function guestKernel(): Buffer {
  const name = readdirSync(bootFolder).find((file) => file.startsWith("vmlinuz-"));
  return readFileSync(join(bootFolder, name!));
}

export function guestInitramfs(): Buffer {
  const [release] = readdirSync(join(debian, "lib/modules"));
  const kernel = join(debian, "lib/modules", release!, "kernel");
  const folders = [
    "bin",
    "dev",
    "proc",
    "sys",
    "tmp",
    "run",
    "mnt",
    "etc",
    "var",
    "var/run",
    "m",
    "o",
  ];
  return cpio([
    ...folders.map(directory),
    program("bin/busybox", busybox()),
    ...applets(),
    ...agentFiles(),
    ...modules.map((path, i) =>
      program(
        `m/${String(i).padStart(2, "0")}-${path.split("/").pop()}`,
        readFileSync(join(kernel, path)),
      ),
    ),
    ...optionalModules.map((path) =>
      program(`o/${path.split("/").pop()}`, readFileSync(join(kernel, path))),
    ),
    program("bin/memory-judge", memoryJudge()),
    program("init", readFileSync(join(import.meta.dirname, "guest-init.sh"))),
  ]);
}

/** As `eventually`, for what an emulated guest takes longer for on a busy machine. */
export async function untilGuest<T>(
  look: () => Promise<T | undefined | false>,
  what: string,
): Promise<T> {
  return eventually(look, what, { secondsMax: 300 });
}

export const guestImage = "docker.io/kerb/guest:1";
export const guestPaths = { kernel: "/boot/vmlinuz", initrd: "/boot/initramfs" };

/** A disk image of 1 MiB that says who it is. */
const labelled = (text: string) => Buffer.concat([Buffer.from(`${text}\n`)], 2 ** 20);

export interface GuestImageOptions {
  name?: string;
  /** The file in /disk. */
  disk?: Buffer;
}

export function guestArchive({ name = guestImage, disk }: GuestImageOptions = {}): Buffer {
  return ociArchive({
    name,
    architecture: ociArchitecture(process.arch),
    files: [
      { path: "boot/", type: "directory" },
      { path: "disk/", type: "directory" },
      { path: guestPaths.kernel.slice(1), data: guestKernel() },
      { path: guestPaths.initrd.slice(1), data: guestInitramfs() },
      { path: "disk/disk.img", data: disk ?? labelled("a containerDisk") },
    ],
    command: ["/none"],
  });
}

export async function importGuest(site: Site, options: GuestImageOptions = {}) {
  const file = join(site.directory, "guest.tar");
  writeFileSync(file, guestArchive(options));
  await site.kerb("image", "import", file);
}
