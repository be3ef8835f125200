// Block devices made of files, by losetup. One file has one device, whoever uses it: two would each keep pages
// of their own.
import { inTurn } from "../../lib/in-turn.ts";
import type { InTurn } from "../../lib/in-turn.ts";
import { runCommand } from "../../lib/run-command.ts";

export interface LoopDevices {
  /** What attaches and detaches is decided here, one after the other. */
  inTurn: InTurn;
  /** The file's device, made when it has none. */
  attach(file: string): Promise<string>;
  /** The device that the file has already. */
  find(file: string): Promise<string | undefined>;
  /** Idempotent. */
  detach(file: string): Promise<void>;
  /** Tells the device that its file has grown. */
  resize(file: string): Promise<void>;
}

const losetup = (...args: string[]) => runCommand("losetup", args);

async function devicesOf(file: string): Promise<string[]> {
  const text = await losetup("--associated", file, "--output", "NAME", "--noheadings");
  return text.split("\n").flatMap((line) => line.trim() || []);
}

export const systemLoops = (): LoopDevices => ({
  inTurn: inTurn(),
  async attach(file) {
    const [known] = await devicesOf(file);
    return known ?? (await losetup("--find", "--show", file)).trim();
  },
  find: async (file) => (await devicesOf(file))[0],
  async detach(file) {
    for (const device of await devicesOf(file)) await losetup("--detach", device);
  },
  async resize(file) {
    for (const device of await devicesOf(file)) await losetup("--set-capacity", device);
  },
});

export const noLoops: LoopDevices = {
  inTurn: inTurn(),
  attach: () => Promise.reject(new Error("block devices of files need root")),
  find: async () => undefined,
  detach: async () => {},
  resize: async () => {},
};
