import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { openPki } from "../../server/auth/pki.ts";
import { clusterStatus } from "./cluster-status.ts";
import {
  bootstrapOf,
  credentialsOf,
  isDueForRenewal,
  isInvitation,
  kubeconfigOf,
} from "./credentials.ts";

const dayMs = 86_400_000;
const claim = (name: string) =>
  ({ metadata: { name }, spec: { value: name } }) as unknown as KubeObject;

test("a site has what its nodes have together; a cordoned one counts as capacity only", () => {
  const node = (cpu: string, unschedulable = false) =>
    ({
      metadata: { name: cpu },
      spec: { unschedulable },
      status: {
        capacity: { cpu, memory: "1Gi", pods: "110" },
        allocatable: { cpu, memory: "1Gi", pods: "110" },
      },
    }) as unknown as KubeObject;
  const nodes = [node("500m"), node("2"), node("4", true)];
  const { capacity, allocatable } = clusterStatus({ version: "v1", nodes, claims: [] });
  assert.deepEqual(capacity, { cpu: "6500m", memory: "3145728Ki", pods: "330" });
  assert.deepEqual(allocatable, { cpu: "2500m", memory: "2097152Ki", pods: "220" });
});

test("own claims come first, and no more than twenty of others", () => {
  const others = Array.from({ length: 30 }, (_, i) => claim(`c${String(i).padStart(2, "0")}`));
  const claims = [...others, claim("id.k8s.io")];
  const told = clusterStatus({ version: "v1", nodes: [], claims }).clusterClaims;
  assert.equal(told.length, 21);
  assert.equal(told[0]!.name, "id.k8s.io");
});

for (const [what, life, left, due] of [
  ["young", 400, 300, false],
  ["with a quarter of its year left", 400, 80, true],
  ["of a long life", 3650, 300, false],
  ["that is over", 365, -5, true],
] as const) {
  test(`a certificate ${what} is ${due ? "" : "not "}renewed`, () => {
    const credentials = { notBefore: 0, notAfter: life * dayMs } as never;
    assert.equal(isDueForRenewal(credentials, 365 * dayMs, (life - left) * dayMs), due);
  });
}

test("an invitation is read as it was written; half a secret is none", () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const kubeconfig = kubeconfigOf({ server: "https://hub:6443", ca: "CA" }, { token: "t" });
  const secret = {
    data: { kubeconfig: base64(kubeconfig), "cluster-name": base64("farm") },
  } as unknown as KubeObject;
  const { connection, cluster } = bootstrapOf(secret);
  assert.deepEqual([connection.server, connection.ca, cluster], ["https://hub:6443", "CA", "farm"]);
  assert.equal(credentialsOf(secret), undefined);
});

test("the Secrets of another agent at the same site are its own", async () => {
  const storage = { read: async () => undefined, write: async () => {} };
  const pki = await openPki(storage, { clock: new FakeClock(), names: [] });
  const { cert } = pki.admin();
  const secret = (user: Record<string, string>): KubeObject => {
    const texts = {
      kubeconfig: kubeconfigOf({ server: "https://hub:6443" }, user),
      ...{ "tls.crt": cert, "tls.key": "key", "cluster-name": "farm", "agent-name": "a" },
    };
    const data = Object.fromEntries(
      Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString("base64")]),
    );
    return { data } as unknown as KubeObject;
  };
  const files = { "client-certificate": "tls.crt", "client-key": "tls.key" };
  assert.equal(credentialsOf(secret(files)), undefined);
  assert.equal(credentialsOf(secret({ "client-certificate-data": "" }))?.cluster, "farm");
  const { "cluster-name": _, ...data } = secret(files)["data"] as Record<string, string>;
  assert.equal(isInvitation({ data } as unknown as KubeObject), false);
});
