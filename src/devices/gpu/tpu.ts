// Edge TPUs: sticks on USB, before and after their firmware is loaded, and cards behind the kernel's apex driver.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Device } from "../discovery/handler.ts";
import { readText } from "./files.ts";
import type { GpuWorld } from "./files.ts";

const sticks = new Set(["1a6e:089a", "18d1:9302"]);
const number = (text: string) => text.padStart(3, "0");

function stick(world: GpuWorld, folder: string): Device[] {
  const read = (file: string) => readText(join(folder, file));
  if (!sticks.has(`${read("idVendor")}:${read("idProduct")}`)) return [];
  const path = `bus/usb/${number(read("busnum"))}/${number(read("devnum"))}`;
  const port = folder.split("/").at(-1)!;
  const node = {
    containerPath: `/dev/${path}`,
    hostPath: join(world.root, "dev", path),
    permissions: "rw",
  };
  const serial = read("serial");
  const properties = { GPU_VENDOR: "google", GPU_MODEL: "Edge TPU USB", GPU_USB_PORT: port };
  return [{ id: serial || `usb-${port}`, properties, mounts: [], nodes: [node] }];
}

function card(world: GpuWorld, name: string): Device {
  const hostPath = join(world.root, "dev", name);
  const node = { containerPath: `/dev/${name}`, hostPath, permissions: "rw" };
  return {
    id: name,
    properties: { GPU_VENDOR: "google", GPU_MODEL: "Edge TPU PCIe" },
    mounts: [],
    nodes: [node],
  };
}

const list = (path: string) => (existsSync(path) ? readdirSync(path) : []);

export function tpuDevices(world: GpuWorld): Device[] {
  const usb = join(world.root, "sys/bus/usb/devices");
  return [
    ...list(usb).flatMap((name) => stick(world, join(usb, name))),
    ...list(join(world.root, "sys/class/apex")).map((name) => card(world, name)),
  ];
}
