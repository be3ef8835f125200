// A real site in a folder of its own, driven as a user drives it: `kerb up --detach` and kubectl.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, runToEnd } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import { atInterrupt } from "./interrupt.ts";

export const root = join(import.meta.dirname, "../..");
export const kerb = join(root, "bin/kerb");
const clients = join(root, ".cache/clients");

const given = new Set<number>();

/** A port that was free a moment ago, and that nobody else here was told of. */
export async function freePort(): Promise<number> {
  const port = await new Promise<number>((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
  if (given.has(port)) return freePort();
  given.add(port);
  return port;
}

export class Site {
  readonly directory: string;
  readonly port: number;
  /** What each of its commands is run by: in other namespaces it sees another machine. */
  readonly #inside: string[];
  #forget = () => {};
  #removing: Promise<void> | undefined;

  constructor(directory: string, port: number, inside: string[] = []) {
    this.directory = directory;
    this.port = port;
    this.#inside = inside;
  }

  #run(args: string[], options: CommandOptions = {}) {
    const [command, ...rest] = [...this.#inside, kerb, ...args] as [string, ...string[]];
    return run(command, rest, options);
  }

  get kubeconfig() {
    return join(this.directory, "kubeconfig");
  }

  get server() {
    return `https://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return JSON.parse(readFileSync(join(this.directory, "run.json"), "utf8")).pid;
  }

  up(...args: string[]) {
    this.#forget();
    this.#forget = atInterrupt(() => this.remove());
    const where = ["--data-dir", this.directory, "--port", String(this.port)];
    return this.#run(["up", "--detach", ...where, ...args]);
  }

  down(...args: string[]) {
    return this.#run(["down", "--data-dir", this.directory, ...args]);
  }

  kerb(...args: string[]) {
    return this.#run([...args, "--data-dir", this.directory]);
  }

  /** What a machine says after `kerb join` to be a node of this site. */
  async joinWords(): Promise<string[]> {
    const said = await this.kerb("token", "create");
    return /kerb join (.*)/.exec(said)![1]!.split(" ");
  }

  /** What a site says after `kerb` to be a member of this hub, at its loopback address. */
  async attachWords(...name: string[]): Promise<string[]> {
    const said = await this.kerb("token", "create", "--site", ...name);
    return /kerb (attach .*)/.exec(said)![1]!.replace("//ADDRESS", "//127.0.0.1").split(" ");
  }

  /** Makes this site a member of `hub`, of this name or one that then waits. Resolves with what was said. */
  async attach(hub: Site, ...name: string[]) {
    const words = [...(await hub.attachWords(...name)), "--data-dir", this.directory];
    return run(kerb, words);
  }

  readonly kubectlPath = join(clients, "kubectl");

  /** kubectl with this site's kubeconfig; rejects when it fails. */
  kubectl(args: string[], options: CommandOptions = {}) {
    return run(join(clients, "kubectl"), ["--kubeconfig", this.kubeconfig, ...args], options);
  }

  tryKubectl(args: string[], options: CommandOptions = {}) {
    return runToEnd(join(clients, "kubectl"), ["--kubeconfig", this.kubeconfig, ...args], options);
  }

  helm(args: string[], options: CommandOptions = {}) {
    const env = { ...options.env, HELM_CACHE_HOME: join(this.directory, "helm") };
    return run(join(clients, "helm"), ["--kubeconfig", this.kubeconfig, ...args], {
      ...options,
      env,
    });
  }

  apply(manifest: string, ...args: string[]) {
    return this.kubectl(["apply", "-f", "-", ...args], { input: manifest });
  }

  /** The object as parsed JSON. */
  async get(...args: string[]): Promise<any> {
    return JSON.parse(await this.kubectl(["get", "-o", "json", ...args]));
  }

  /** Stops everything and removes the folder. */
  remove(): Promise<void> {
    this.#removing ??= this.#remove().finally(() => {
      this.#removing = undefined;
      this.#forget();
    });
    return this.#removing;
  }

  async #remove() {
    await this.down("--grace-period=0");
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A running site with its own data and port. */
export async function startSite(...args: string[]): Promise<Site> {
  const site = new Site(mkdtempSync(join(tmpdir(), "kerb-site-")), await freePort());
  await site.up(...args);
  return site;
}
