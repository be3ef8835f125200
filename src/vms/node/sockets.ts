// QEMU's sockets lie in a folder of the pod, whose path may be longer than a socket's address has room for. So the
// folder is opened, and the socket named by way of that.
import { open } from "node:fs/promises";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";

export async function dialIn(folder: string, name: string): Promise<Socket> {
  const handle = await open(folder, "r");
  try {
    return await new Promise<Socket>((resolve, reject) => {
      const socket = connect(join(`/proc/self/fd/${handle.fd}`, name));
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(socket);
      });
      socket.once("error", reject);
    });
  } finally {
    await handle.close();
  }
}
