// The machine's devices as the kernel shows them in sysfs, with what udev's database adds.
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { UdevDevice } from "./match.ts";

export interface UdevPaths {
  sys: string;
  udev: string;
  dev: string;
}

const attributeBytesMax = 4096;
/** More devices than any machine has. */
const devicesMax = 100_000;

const list = (path: string): string[] => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

const linkName = (path: string): string | undefined => {
  try {
    return basename(readlinkSync(path));
  } catch {
    return undefined;
  }
};

function properties(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const equals = line.indexOf("=");
    if (equals > 0) found.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return found;
}

/** What udev wrote down about a device. */
interface Record {
  env: Map<string, string>;
  tags: Set<string>;
}

const recordOf = (text: string): Record => {
  const lines = text.split("\n");
  const starting = (prefix: string) =>
    lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
  return { env: properties(starting("E:").join("\n")), tags: new Set(starting("G:")) };
};

class SysDevice implements UdevDevice {
  readonly devpath: string;
  readonly kernel: string;
  readonly subsystem: string | undefined;
  readonly driver: string | undefined;
  readonly devnode: string | undefined;
  readonly #system: UdevSystem;
  readonly #syspath: string;
  readonly #uevent: Map<string, string>;
  #record: Record | undefined;

  constructor(system: UdevSystem, syspath: string) {
    const { sys, dev } = system.paths;
    this.#system = system;
    this.#syspath = syspath;
    this.devpath = syspath.slice(sys.length);
    this.kernel = basename(syspath).replaceAll("!", "/");
    this.subsystem = linkName(join(syspath, "subsystem"));
    this.driver = linkName(join(syspath, "driver"));
    this.#uevent = properties(read(join(syspath, "uevent")) ?? "");
    const name = this.#uevent.get("DEVNAME");
    this.devnode = name === undefined ? undefined : join(dev, name.replace(/^\/dev\//, ""));
  }

  env() {
    const env = new Map(this.#uevent);
    env.set("DEVPATH", this.devpath);
    if (this.subsystem) env.set("SUBSYSTEM", this.subsystem);
    if (this.driver) env.set("DRIVER", this.driver);
    if (this.devnode) env.set("DEVNAME", this.devnode);
    for (const [key, value] of this.#written().env) env.set(key, value);
    return env;
  }

  tags() {
    return this.#written().tags;
  }

  attribute(name: string): string | undefined {
    const path = join(this.#syspath, name);
    // A name may lead down, never out.
    if (!path.startsWith(`${this.#syspath}/`)) return undefined;
    const text = read(path);
    if (text !== undefined) return text.slice(0, attributeBytesMax).replace(/\n+$/, "");
    return linkName(path);
  }

  parent() {
    return this.#system.parentOf(this.#syspath);
  }

  #written(): Record {
    return (this.#record ??= recordOf(
      read(join(this.#system.paths.udev, "data", this.#id())) ?? "",
    ));
  }

  /** By which udev files what it knows. */
  #id(): string {
    const [major, minor] = ["MAJOR", "MINOR"].map((key) => this.#uevent.get(key));
    if (major) return `${this.subsystem === "block" ? "b" : "c"}${major}:${minor}`;
    const index = this.#uevent.get("IFINDEX");
    return index ? `n${index}` : `+${this.subsystem}:${basename(this.#syspath)}`;
  }
}

export class UdevSystem {
  readonly paths: UdevPaths;
  readonly #known = new Map<string, SysDevice>();

  /** A look at the machine as it is now; make another to look again. */
  constructor(paths: UdevPaths) {
    this.paths = { ...paths, sys: realpathSync(paths.sys) };
  }

  devices(): UdevDevice[] {
    const { sys } = this.paths;
    const folders = [
      ...list(join(sys, "bus")).map((bus) => join(sys, "bus", bus, "devices")),
      ...list(join(sys, "class")).map((name) => join(sys, "class", name)),
    ];
    const found = new Map<string, UdevDevice>();
    for (const folder of folders) {
      for (const name of list(folder)) {
        const device = this.#at(join(folder, name));
        if (device && found.size < devicesMax) found.set(device.devpath, device);
      }
    }
    return [...found.values()].sort((a, b) => (a.devpath < b.devpath ? -1 : 1));
  }

  /** The nearest folder above that is a device. */
  parentOf(syspath: string): UdevDevice | undefined {
    const top = join(this.paths.sys, "devices");
    for (let path = dirname(syspath); path.startsWith(`${top}/`); path = dirname(path)) {
      const device = this.#at(path);
      if (device) return device;
    }
    return undefined;
  }

  #at(path: string): SysDevice | undefined {
    let real: string;
    try {
      real = realpathSync(path);
    } catch {
      return undefined;
    }
    if (!real.startsWith(`${this.paths.sys}/`)) return undefined;
    const known = this.#known.get(real);
    if (known) return known;
    if (read(join(real, "uevent")) === undefined) return undefined;
    const device = new SysDevice(this, real);
    this.#known.set(real, device);
    return device;
  }
}
