// Answers DHCP in the pod's network namespace from here: a socket opened there works here. While Kerb is away
// nobody answers; leases are for good, so that only a guest that boots meanwhile waits.
import { spawn } from "node:child_process";
import type { Socket } from "node:dgram";
import { extname, join } from "node:path";
import type { Scope } from "../../lib/scope.ts";
import type { Lease } from "../prepare/network-plan.ts";
import { dhcpAnswer } from "./dhcp.ts";

const clientPort = 68;

/** Bundled, the program lies beside this file; as a source, in the folder above. */
function program(): string {
  const extension = extname(import.meta.filename);
  const folder = extension === ".ts" ? ".." : ".";
  return join(import.meta.dirname, folder, `vm-dhcp-socket${extension}`);
}

function openSocket(namespace: string, server: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const command = [process.execPath, "--disable-warning=ExperimentalWarning", program(), server];
    const child = spawn("nsenter", [`--net=${namespace}`, ...command], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let said = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.once("message", (_word, socket) => resolve(socket as unknown as Socket));
    child.once("error", reject);
    child.once("close", () => reject(new Error(`no DHCP socket: ${said.trim().slice(0, 500)}`)));
  });
}

export async function serveDhcp(namespace: string, lease: Lease, scope: Scope): Promise<void> {
  const socket = await openSocket(namespace, lease.server);
  scope.defer(() => void socket.close());
  socket.on("error", () => {});
  socket.on("message", (request) => {
    const answer = dhcpAnswer(request, lease);
    if (answer) socket.send(answer.message, clientPort, answer.to, () => {});
  });
}
