// The replacement of a site's authority, phase by phase: what each of them means to those who trust it. The
// certificates themselves are made in `server/auth/`; here everybody who keeps a copy is told.
import { caHash } from "../node/join-token.ts";
import { certificatesIn, notReadyFor } from "../node/node-authority.ts";
import { krustletName } from "../wings/krustlet.ts";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { isStatus, StatusError } from "../../lib/status-error.ts";
import type { Pki } from "../../server/auth/pki.ts";
import type { RotationPhase } from "../../server/auth/authority.ts";
import type { Plugs } from "../../server/policy.ts";

export const authorityPath = "/kerb/authority";
export const advancePath = "/kerb/authority/advance";
export const abandonPath = "/kerb/authority/abandon";

const configMaps = resource("v1", "configmaps");
const secrets = resource("v1", "secrets");
const nodes = resource("v1", "nodes");
const rootCa = "kube-root-ca.crt";
const phaseAnnotation = "kerb.dev/authority-phase";

export interface AuthorityState {
  phase: RotationPhase;
  /** Hashes of the authorities that are trusted; the first signs. */
  authorities: string[];
}

/** A machine that joined and does not know yet what the next phase needs. */
export interface LateMachine {
  name: string;
  /** When it was heard of last, if it is away. */
  awaySince?: string;
}

export interface AuthorityReport extends AuthorityState {
  waitsFor: LateMachine[];
}

interface Parts {
  pki: Pki;
  client: Client;
  /** The node of this process. */
  node: string;
}

const unlessGone = (error: unknown) => {
  if (!isStatus(error, "NotFound", "Conflict")) throw error;
};

/** Copies in the API that pods and clients trust by. */
async function spread(client: Client, ca: string, phase: RotationPhase) {
  const named = { fieldSelector: `metadata.name=${rootCa}` };
  for (const { metadata } of (await client.list(configMaps, named)).items) {
    const target = { ...configMaps, namespace: metadata.namespace, name: rootCa };
    await client.patch(target, "merge", { data: { "ca.crt": ca } }).catch(unlessGone);
  }
  const tokens = { fieldSelector: "type=kubernetes.io/service-account-token" };
  const data = { "ca.crt": Buffer.from(ca).toString("base64") };
  for (const { metadata } of (await client.list(secrets, tokens)).items) {
    const target = { ...secrets, namespace: metadata.namespace, name: metadata.name };
    await client.patch(target, "merge", { data }).catch(unlessGone);
  }
  // Its controller writes it anew when it is touched.
  const info = { ...configMaps, namespace: "kube-public", name: "cluster-info" };
  const metadata = { annotations: { [phaseAnnotation]: phase } };
  await client.patch(info, "merge", { metadata }).catch(unlessGone);
}

export class SiteAuthority {
  readonly #parts: Parts;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  state(): AuthorityState {
    const { pki } = this.#parts;
    return { phase: pki.phase(), authorities: certificatesIn(pki.ca()).map(caHash) };
  }

  async report(): Promise<AuthorityReport> {
    return { ...this.state(), waitsFor: await this.#late() };
  }

  /** One phase further, told to everybody when it resolves. */
  advance(): Promise<AuthorityReport> {
    return this.#next(async () => {
      await this.#mustReachAll();
      await this.#parts.pki.advance();
    });
  }

  abandon(): Promise<AuthorityReport> {
    return this.#next(async () => {
      if (this.#parts.pki.phase() === "IssueNew") {
        const message = "the new authority signs already: go on to the end instead";
        throw new StatusError("Conflict", message);
      }
      await this.#parts.pki.abandon();
    });
  }

  #next(step: () => Promise<void>): Promise<AuthorityReport> {
    const done = this.#busy.then(async () => {
      await step();
      const { client, pki } = this.#parts;
      await spread(client, pki.ca(), pki.phase());
      return this.report();
    });
    this.#busy = done.catch(() => {});
    return done;
  }

  /** Machines that joined say on their Nodes what they know. */
  async #late(): Promise<LateMachine[]> {
    const { client, node } = this.#parts;
    const { phase, authorities } = this.state();
    if (phase === "Settled") return [];
    const own = new Set([node, krustletName(node)]);
    const joined = (await client.list(nodes)).items.filter(
      ({ metadata }) => !own.has(metadata.name),
    );
    return notReadyFor(phase, joined, authorities);
  }

  async #mustReachAll() {
    const late = await this.#late();
    if (late.length === 0) return;
    const { phase } = this.state();
    const names = late.map(({ name }) => name).join(", ");
    const what = phase === "TrustBoth" ? "trust the new authority" : "have its certificates";
    const message = `${names}: not all machines ${what} yet; wait, or let go of those that are gone: kubectl delete node`;
    throw new StatusError("Conflict", message);
  }
}

/** For those who may everything. */
export function plugAuthority(plugs: Plugs, authority: SiteAuthority) {
  const plug = (path: string, wanted: string, run: () => unknown) =>
    plugs.paths.set(path, async ({ method }) => {
      if (method !== wanted) {
        throw new StatusError("MethodNotAllowed", `this path is asked with ${wanted}`);
      }
      return { code: 200, object: (await run()) as object };
    });
  plug(authorityPath, "GET", () => authority.report());
  plug(advancePath, "POST", () => authority.advance());
  plug(abandonPath, "POST", () => authority.abandon());
}

/** Servers that share a store would each have to change at once. */
export function plugNoAuthority(plugs: Plugs) {
  for (const path of [authorityPath, advancePath, abandonPath]) {
    plugs.paths.set(path, () => {
      const message = "the authority of a cluster on etcd cannot be replaced yet";
      throw new StatusError("NotImplemented", message);
    });
  }
}
