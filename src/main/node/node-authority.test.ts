import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { Authority, newKey } from "../../server/auth/authority.ts";
import { caHash } from "./join-token.ts";
import { certificatesIn, isOfSigner, notReadyFor, toldOf } from "./node-authority.ts";

async function authority() {
  const texts = new Map<string, string>();
  const storage = {
    read: async (name: string) => texts.get(name) || undefined,
    write: async (name: string, text: string) => void texts.set(name, text),
  };
  const name = { file: "ca.pem", subject: { commonName: "ca", organizations: [] } };
  const made = new Authority(storage, new FakeClock(), name);
  await made.open();
  return made;
}

const node = (name: string, annotations = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, uid: name, resourceVersion: "1", creationTimestamp: "", annotations },
});

test("a machine is ready for a phase when it trusts what will sign, and then when it was signed by it", async () => {
  const site = await authority();
  const publicKey = createPublicKey(newKey());
  const subject = { commonName: "system:node:a", organizations: ["system:nodes"] };
  const life = { notBeforeMs: 0, notAfterMs: Date.UTC(2090, 0, 1) };
  const signed = () => site.sign({ subject, publicKey, ...life, usage: "client" });
  const hashes = () => certificatesIn(site.ca()).map(caHash);
  const cert = signed();
  const before = node("before", toldOf({ ca: site.ca(), cert }));
  assert.equal(await site.advance(), "TrustBoth");
  const heard = node("heard", toldOf({ ca: site.ca(), cert }));
  assert.ok(isOfSigner({ ca: site.ca(), cert }));
  const gone = node("old");
  gone["status"] = {
    conditions: [{ type: "Ready", status: "Unknown", lastHeartbeatTime: "2026-01-01T00:00:00Z" }],
  };
  assert.deepEqual(notReadyFor("TrustBoth", [before, heard, gone], hashes()), [
    { name: "before" },
    { name: "old", awaySince: "2026-01-01T00:00:00Z" },
  ]);
  assert.equal(await site.advance(), "IssueNew");
  assert.ok(!isOfSigner({ ca: site.ca(), cert }));
  const renewed = node("renewed", toldOf({ ca: site.ca(), cert: signed() }));
  assert.deepEqual(notReadyFor("IssueNew", [heard, renewed], hashes()), [{ name: "heard" }]);
});
