// The subresource API of machines as virtctl uses it: PUTs with kubectl's own identity, and the console as a
// WebSocket of raw bytes.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { WebSocket } from "ws";
import { parse } from "yaml";
import type { Site } from "./site.ts";

const root = "/apis/subresources.kubevirt.io/v1/namespaces/default";

export const act = (site: Site, path: string, body: object = {}) =>
  site.kubectl(["replace", "--raw", `${root}/${path}`, "-f", "-"], { input: JSON.stringify(body) });

export const ask = (site: Site, path: string) => site.kubectl(["get", "--raw", `${root}/${path}`]);

function identity(site: Site) {
  const config = parse(readFileSync(site.kubeconfig, "utf8"));
  const decoded = (text: string) => Buffer.from(text, "base64");
  const [{ user }] = config.users;
  return {
    ca: decoded(config.clusters[0].cluster["certificate-authority-data"]),
    cert: decoded(user["client-certificate-data"]),
    key: decoded(user["client-key-data"]),
  };
}

/** A WebSocket of raw bytes, as virtctl and browsers open one. */
export async function openSocket(site: Site, path: string): Promise<WebSocket> {
  const url = `${site.server}${root}/${path}`;
  const socket = new WebSocket(url, "plain.kubevirt.io", identity(site));
  await once(socket, "open");
  return socket;
}

/** A serial console; what it says is kept. */
export class VmConsole {
  readonly #socket: WebSocket;
  said = "";

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data: Buffer) => (this.said += data.toString("latin1")));
  }

  static async open(site: Site, name: string): Promise<VmConsole> {
    return new VmConsole(await openSocket(site, `virtualmachineinstances/${name}/console`));
  }

  type(line: string) {
    this.#socket.send(Buffer.from(`${line}\r`));
  }

  close() {
    this.#socket.close();
  }
}
