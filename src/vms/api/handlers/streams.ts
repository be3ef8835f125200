// console, vnc, portforward: streams into a machine.
import type { KubeObject } from "../../../kinds/object.ts";
import { badRequest, conflict, notFound } from "../../../lib/status-error.ts";
import type { Call, StreamHandler } from "../handler.ts";
import { datagramsOver } from "../../datagrams.ts";
import { hasCondition } from "../handler.ts";

const of = { group: "kubevirt.io", resource: "virtualmachineinstance" };

async function reachable(call: Call): Promise<KubeObject> {
  const vmi = await call.access.instance(call);
  const phase: string = vmi.status?.phase || "unset";
  if (phase === "Failed") throw conflict(of, call.name, "VMI has failed");
  if (phase === "Running") return vmi;
  const why = `Unable to connect to VirtualMachineInstance because phase is ${phase} instead of Running`;
  throw badRequest(why);
}

export const console: StreamHandler = async (call) => {
  const vmi = await reachable(call);
  if (vmi.spec.domain.devices?.autoattachSerialConsole === false) {
    throw badRequest("No serial consoles are present.");
  }
  return (await call.access.controlOf(vmi)).openConsole();
};

export const vnc: StreamHandler = async (call) => {
  const vmi = await reachable(call);
  if (vmi.spec.domain.devices?.autoattachGraphicsDevice === false) {
    throw badRequest("No graphics devices are present.");
  }
  return (await call.access.controlOf(vmi)).openVnc();
};

export const usbredir: StreamHandler = async (call) => {
  const vmi = await reachable(call);
  if (!vmi.spec.domain.devices?.clientPassthrough) {
    throw badRequest("Not configured with USB Redirection");
  }
  return (await call.access.controlOf(vmi)).openUsb();
};

export const portforward: StreamHandler = async (call) => {
  const [port = "", protocol = "tcp"] = call.rest;
  const number = Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65535) {
    throw badRequest(`port: ${port} is no port`);
  }
  const isUdp = protocol.toLowerCase() === "udp";
  if (!isUdp && protocol.toLowerCase() !== "tcp") {
    throw badRequest(`protocol: ${protocol} is not forwarded, only tcp and udp`);
  }
  if (call.resource === "virtualmachines") await call.access.machine(call);
  const vmi = await call.access.instance(call);
  if (vmi.status?.phase !== "Running") throw conflict(of, call.name, "VMI is not running");
  if (hasCondition(vmi, "Paused")) throw conflict(of, call.name, "VMI is paused");
  const address: string | undefined = vmi.status?.interfaces?.[0]?.ipAddress;
  if (!address) throw notFound({ group: "", resource: "network interfaces" }, call.name);
  if (isUdp) return datagramsOver(await (await call.access.controlOf(vmi)).openUdp(number));
  return (await call.access.connect(vmi.status.nodeName)).dial(address, number);
};
