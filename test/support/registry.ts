// Debian's real image registry on loopback, open to one user only.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { containerdDirectory } from "../../src/main/machine.ts";
import { socketOf } from "../../src/containers/containerd.ts";
import { run } from "./command.ts";
import { freePort } from "./site.ts";
import type { Site } from "./site.ts";

export const registryUser = { username: "shop", password: "open sesame" };
/** bcrypt of the password. */
const passwordHash = "$2y$05$aOy9Q/ePCoPZE9x40hAIg.FdwgoWwhF52LPwknalmzahbI3Di0ouG";

export interface Registry {
  /** `127.0.0.1:41234`. */
  host: string;
  /** Uploads an image that the site has, under a name of this registry. */
  push(site: Site, image: string, as: string): Promise<void>;
  stop(): void;
}

function configuration(port: number, directory: string) {
  return `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${directory}/data}}
http: {addr: "127.0.0.1:${port}"}
auth: {htpasswd: {realm: kerb, path: ${directory}/users}}
`;
}

async function answers(host: string) {
  for (let tries = 0; ; tries++) {
    try {
      await fetch(`http://${host}/v2/`);
      return;
    } catch (error) {
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

export async function startRegistry(): Promise<Registry> {
  const directory = mkdtempSync(join(tmpdir(), "kerb-registry-"));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  writeFileSync(join(directory, "users"), `${registryUser.username}:${passwordHash}\n`);
  writeFileSync(join(directory, "config.yml"), configuration(port, directory));
  const child = spawn("docker-registry", ["serve", join(directory, "config.yml")], {
    stdio: "ignore",
  });
  await answers(host);
  return {
    host,
    async push(site, image, as) {
      const ctr = ["--address", socketOf(containerdDirectory(site.directory)), "-n", "k8s.io"];
      const login = `${registryUser.username}:${registryUser.password}`;
      const to = `${host}/${as}`;
      await run("ctr", [...ctr, "images", "push", "--plain-http", "--user", login, to, image]);
    },
    stop() {
      child.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
