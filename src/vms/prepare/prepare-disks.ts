// Makes a VM's disks ready before QEMU starts: judges images, makes overlays, empty disks and seeds. As root on
// the host; every path is below a volume of the pod, and no link leads out of it.
import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../lib/run-command.ts";
import { badRequest } from "../../lib/status-error.ts";
import type { Domain, DiskSource, DomainDisk } from "../domain.ts";
import { launcherPaths, qemuUser } from "../domain.ts";
import { keysIn, secretFiles } from "../credentials/secret-files.ts";
import { configDriveFiles, noCloudFiles, seedLabel } from "../images/cloud-init.ts";
import { imageFacts, imageHeaderBytes } from "../images/image-format.ts";
import { iso9660 } from "../images/iso9660.ts";
import type { ImageFile, PreparedDisk } from "../qemu/launch.ts";

export interface DiskPlaces {
  /** The host's folder (or device) behind a path of the container. */
  hostPath: (containerPath: string) => string | undefined;
  /** Makes a file QEMU's. */
  give: (file: string) => void;
}

/** The file that a name in a volume stands for, on the host; links may lead about within the volume only. */
export function fileIn(folder: string, name: string): string {
  const root = realpathSync(folder);
  const path = join(root, name);
  if (!existsSync(path)) throw badRequest(`${name} is not there`);
  const real = realpathSync(path);
  if (!real.startsWith(`${root}/`)) throw badRequest(`${name} leads out of its volume`);
  if (!statSync(real).isFile()) throw badRequest(`${name} is no file`);
  return real;
}

/** A file of the machine is a guest's once the machine's administrator has given it away, and never before. */
function checkOwner(file: string) {
  const { uid } = statSync(file);
  if (uid === qemuUser) return;
  throw badRequest(
    `${file} of the node is user ${uid}'s; where guests may have it, first run there: chown ${qemuUser}:${qemuUser} ${file}`,
  );
}

function headerOf(file: string): Buffer {
  const header = Buffer.alloc(imageHeaderBytes);
  const fd = openSync(file, "r");
  try {
    return header.subarray(0, readSync(fd, header, 0, imageHeaderBytes, 0));
  } finally {
    closeSync(fd);
  }
}

class Preparation {
  readonly #domain: Domain;
  readonly #places: DiskPlaces;
  readonly #run: string;

  constructor(domain: Domain, places: DiskPlaces) {
    this.#domain = domain;
    this.#places = places;
    this.#run = this.#host(launcherPaths.run);
  }

  #host(containerPath: string): string {
    const found = this.#places.hostPath(containerPath);
    if (found === undefined) throw badRequest(`nothing is mounted at ${containerPath}`);
    return found;
  }

  #own(name: string): { host: string; inside: string } {
    return { host: join(this.#run, name), inside: join(launcherPaths.run, name) };
  }

  /** A throwaway layer over an image that stays as it is. */
  async #overlay(name: string, backing: ImageFile, host: string): Promise<PreparedOverlay> {
    const { host: file, inside } = this.#own(`${name}.qcow2`);
    if (!existsSync(file)) {
      const base = ["-b", host, "-F", backing.format];
      // QEMU is told what lies below and does not read it here; qemu-img wants its size only.
      await runCommand("qemu-img", ["create", "-q", "-f", "qcow2", ...base, file]);
      this.#places.give(file);
    }
    return { path: inside, driver: "file", format: "qcow2", backing };
  }

  async #containerDisk(name: string, path: string | undefined): Promise<PreparedOverlay> {
    const folder = launcherPaths.disk(name);
    const host = this.#host(folder);
    const relative = path ? path.replace(/^\/+/, "") : this.#onlyFile(host);
    const file = fileIn(host, relative);
    const { format } = imageFacts(headerOf(file));
    const inside = join(folder, file.slice(realpathSync(host).length));
    return this.#overlay(name, { path: inside, driver: "file", format }, file);
  }

  #onlyFile(host: string): string {
    const folder = join(host, "disk");
    const files = existsSync(folder) ? readdirSync(folder) : [];
    if (files.length === 1) return `disk/${files[0]}`;
    throw badRequest(`the image has ${files.length} files in /disk; a containerDisk has one`);
  }

  #file(name: string, source: Extract<DiskSource, { kind: "file" }>): ImageFile {
    const { file, createBytes, growBytes = 0 } = source;
    const folder = launcherPaths.disk(name);
    const host = this.#host(folder);
    const path = join(host, file);
    const created = !existsSync(path) && createBytes !== undefined;
    if (created) {
      writeFileSync(path, "", { flag: "wx" });
      truncateSync(path, createBytes);
    }
    const real = fileIn(host, file);
    if (source.onHost && !created) checkOwner(real);
    if (statSync(real).size < growBytes) truncateSync(real, growBytes);
    this.#places.give(real);
    const inside = join(folder, real.slice(realpathSync(host).length));
    // Always raw: what a guest writes to its own disk must never be read as an image's header.
    return { path: inside, driver: "file", format: "raw" };
  }

  #block(name: string): ImageFile {
    return { path: launcherPaths.disk(name), driver: "host_device", format: "raw" };
  }

  async #ephemeral(name: string, block: boolean): Promise<PreparedOverlay> {
    const folder = launcherPaths.disk(name);
    const host = this.#host(folder);
    if (block) return this.#overlay(name, this.#block(name), host);
    const below = this.#file(name, { kind: "file", file: "disk.img" });
    return this.#overlay(name, below, fileIn(host, "disk.img"));
  }

  async #emptyDisk(name: string, bytes: number): Promise<ImageFile> {
    const { host, inside } = this.#own(`${name}.qcow2`);
    if (!existsSync(host)) {
      await runCommand("qemu-img", ["create", "-q", "-f", "qcow2", host, String(bytes)]);
      this.#places.give(host);
    }
    return { path: inside, driver: "file", format: "qcow2" };
  }

  #iso(name: string, files: Map<string, Buffer>, label: string): ImageFile {
    const { host, inside } = this.#own(`${name}.iso`);
    rmSync(host, { force: true });
    writeFileSync(host, iso9660(files, label), { mode: 0o400, flag: "wx" });
    this.#places.give(host);
    return { path: inside, driver: "file", format: "raw" };
  }

  /** The first file of a mounted Secret that has one of the names. */
  #secret(containerPath: string, names: string[]): string | undefined {
    const folder = this.#places.hostPath(containerPath);
    const name = folder && names.find((one) => existsSync(join(folder, one)));
    return name && readFileSync(fileIn(folder, name), "utf8");
  }

  #keys(style: "noCloud" | "configDrive"): string[] {
    const own = (this.#domain.credentials ?? []).filter(({ seed }) => seed === style);
    return own.flatMap(({ volume }) =>
      keysIn(secretFiles(this.#host(launcherPaths.credential(volume)))),
    );
  }

  #seed(name: string, source: Extract<DiskSource, { kind: "cloudInit" }>): ImageFile {
    const { firmware, hostname, namespace } = this.#domain;
    const userNames = ["userdata", "userData"];
    const networkNames = ["networkdata", "networkData"];
    const user = source.user ?? this.#secret(launcherPaths.cloudInitUser(name), userNames);
    const network =
      source.network ?? this.#secret(launcherPaths.cloudInitNetwork(name), networkNames);
    const seed = {
      uuid: firmware.uuid,
      hostname,
      namespace,
      user: user ?? "",
      keys: this.#keys(source.style),
      ...(network && { network }),
    };
    const files = source.style === "noCloud" ? noCloudFiles(seed) : configDriveFiles(seed);
    return this.#iso(name, files, seedLabel[source.style]);
  }

  /** Files of a volume as a kubelet writes it: its keys are links, and what starts with ".." is its own. */
  #files(name: string, label: string): ImageFile {
    const host = this.#host(launcherPaths.disk(name));
    const files = new Map<string, Buffer>();
    const collect = (folder: string) => {
      for (const key of readdirSync(join(host, folder))) {
        if (key.startsWith("..")) continue;
        const path = folder ? `${folder}/${key}` : key;
        const target = join(host, path);
        if (lstatSync(target).isDirectory() || statSync(target).isDirectory()) collect(path);
        else files.set(path, readFileSync(fileIn(host, path)));
      }
    };
    collect("");
    return this.#iso(name, files, label);
  }

  async prepare(disk: DomainDisk): Promise<PreparedDisk> {
    const { name, source } = disk;
    switch (source.kind) {
      case "containerDisk":
        return { disk, ...(await this.#containerDisk(name, source.path)) };
      case "file":
        return { disk, ...this.#file(name, disk.readOnly ? { ...source, growBytes: 0 } : source) };
      case "block":
        return { disk, ...this.#block(name) };
      case "ephemeral":
        return { disk, ...(await this.#ephemeral(name, source.block)) };
      case "emptyDisk":
        return { disk, ...(await this.#emptyDisk(name, source.capacityBytes)) };
      case "cloudInit":
        return { disk, ...this.#seed(name, source) };
      case "files":
        return { disk, ...this.#files(name, source.label) };
    }
  }
}

type PreparedOverlay = ImageFile & { backing: ImageFile };

/** Refusals name the volume. */
export async function prepareDisks(domain: Domain, places: DiskPlaces): Promise<PreparedDisk[]> {
  const preparation = new Preparation(domain, places);
  return Promise.all(
    domain.disks.map(async (disk) => {
      try {
        return await preparation.prepare(disk);
      } catch (error) {
        throw badRequest(`volume ${disk.name}: ${(error as Error).message}`);
      }
    }),
  );
}
