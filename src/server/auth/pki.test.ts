import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { connect, createServer, type TLSSocket } from "node:tls";
import { once } from "node:events";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { Scope } from "../../lib/scope.ts";
import { openPki } from "./pki.ts";
import { type PkiStorage } from "./authority.ts";
import { subjectOf } from "./x509.ts";

const dayMs = 86_400_000;

function memoryStorage() {
  const files = new Map<string, string>();
  const writes: string[] = [];
  const storage: PkiStorage = {
    read: async (name) => files.get(name),
    write: async (name, data) => {
      writes.push(name);
      files.set(name, data);
    },
  };
  return { storage, writes };
}

test("a first start makes the CA and the leafs, a second start makes nothing", async () => {
  const { storage, writes } = memoryStorage();
  const options = { clock: new FakeClock(), names: ["10.96.0.1", "fd00::1", "edge-1"] };
  const first = await openPki(storage, options);
  const own = ["ca.pem", "service-account.pem", "serving.pem", "admin.pem"];
  const frontProxy = ["front-proxy-ca.pem", "front-proxy-client.pem"];
  assert.deepEqual(writes.splice(0), [...own, ...frontProxy]);
  const second = await openPki(storage, options);
  assert.deepEqual(writes, []);
  assert.deepEqual(second.serving(), first.serving());
});

test("a new address makes a new serving certificate and leaves the rest alone", async () => {
  const { storage, writes } = memoryStorage();
  const clock = new FakeClock();
  await openPki(storage, { clock, names: [] });
  writes.length = 0;
  const pki = await openPki(storage, { clock, names: ["192.168.7.9"] });
  assert.deepEqual(writes, ["serving.pem"]);
  assert.ok(new X509Certificate(pki.serving().cert).checkIP("192.168.7.9"));
});

test("certificates carry the identities Kubernetes expects", async () => {
  const pki = await openPki(memoryStorage().storage, {
    clock: new FakeClock(),
    names: ["fd00::1"],
  });
  const ca = new X509Certificate(pki.ca());
  assert.ok(ca.ca);
  const serving = new X509Certificate(pki.serving().cert);
  assert.ok(serving.checkIssued(ca) && serving.verify(ca.publicKey));
  for (const host of [
    "localhost",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
  ]) {
    assert.ok(serving.checkHost(host), host);
  }
  assert.ok(serving.checkIP("127.0.0.1") && serving.checkIP("fd00::1"));
  assert.deepEqual(subjectOf(new X509Certificate(pki.admin().cert)), {
    commonName: "kubernetes-admin",
    organizations: ["system:masters"],
  });
  assert.deepEqual(subjectOf(new X509Certificate((await pki.node("edge-1")).cert)), {
    commonName: "system:node:edge-1",
    organizations: ["system:nodes"],
  });
});

test("TLS accepts both ends", async () => {
  const clock = new FakeClock();
  const pki = await openPki(memoryStorage().storage, { clock, names: [] });
  const server = createServer({ ...pki.serving(), ca: pki.ca(), requestCert: true });
  const seen = new Promise<TLSSocket>((resolve) => server.on("secureConnection", resolve));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  const client = connect({ host: "127.0.0.1", port, ca: pki.ca(), ...pki.admin() });
  await once(client, "secureConnect");
  assert.ok(client.authorized);
  assert.ok((await seen).authorized);
  client.destroy();
  server.close();
});

test("a clock in 1970 makes certificates that hold in 1970 and today", async () => {
  const clock = new FakeClock(0);
  const pki = await openPki(memoryStorage().storage, { clock, names: [] });
  const { validFrom, validTo } = new X509Certificate(pki.serving().cert);
  assert.ok(Date.parse(validFrom) <= 0);
  assert.ok(Date.parse(validTo) >= Date.UTC(2026, 11, 31));
});

test("leafs renew while running, before they expire, and the CA keeps its key", async () => {
  const { storage } = memoryStorage();
  const clock = new FakeClock();
  await using scope = new Scope();
  const pki = await openPki(storage, { clock, names: [] });
  const before = pki.serving().cert;
  const renewed: string[] = [];
  pki.startRenewal(scope, (name) => renewed.push(name));
  await clock.advance(240 * dayMs);
  assert.deepEqual(renewed, []);
  await clock.advance(10 * dayMs);
  assert.deepEqual(renewed.sort(), ["admin", "front-proxy-client", "serving"]);
  assert.notEqual(pki.serving().cert, before);
});

test("a clock in the far future renews the CA with the same key", async () => {
  const { storage } = memoryStorage();
  const clock = new FakeClock();
  const first = await openPki(storage, { clock, names: [] });
  clock.jumpTo(Date.UTC(2060, 0, 1));
  const second = await openPki(storage, { clock, names: [] });
  const old = new X509Certificate(first.ca());
  assert.ok(new X509Certificate(second.serving().cert).verify(old.publicKey));
  assert.ok(Date.parse(new X509Certificate(second.serving().cert).validTo) > clock.now());
});

const parsed = (pem: string) =>
  (pem.match(/-----BEGIN[^]+?-----END CERTIFICATE-----/g) ?? []).map(
    (one) => new X509Certificate(one),
  );

test("an authority is replaced in three phases, and who knows the first alone is at home in two", async () => {
  const { storage } = memoryStorage();
  const clock = new FakeClock();
  await using scope = new Scope();
  const pki = await openPki(storage, { clock, names: [] });
  const changed: string[] = [];
  pki.startRenewal(scope, (name) => changed.push(name));
  const [first] = parsed(pki.ca());
  const old = pki.admin().cert;
  assert.equal(await pki.advance(), "TrustBoth");
  assert.deepEqual(changed.splice(0), ["ca"]);
  const [signing, next] = parsed(pki.ca());
  assert.equal(signing!.raw.compare(first!.raw), 0);
  assert.notEqual(next!.subject, first!.subject);
  assert.equal(pki.admin().cert, old);
  assert.equal(await pki.advance(), "IssueNew");
  assert.deepEqual(changed.splice(0).sort(), ["admin", "ca", "serving"]);
  assert.ok(new X509Certificate(pki.admin().cert).verify(next!.publicKey));
  assert.deepEqual(
    parsed(pki.ca()).map(({ subject }) => subject),
    [next!.subject, first!.subject],
  );
  assert.equal(await pki.advance(), "Settled");
  assert.deepEqual(
    parsed(pki.ca()).map(({ subject }) => subject),
    [next!.subject],
  );
  const again = await openPki(storage, { clock, names: [] });
  assert.deepEqual(again.admin(), pki.admin());
});

test("a replacement that is cut short anywhere goes on at the next start", async () => {
  for (const writesLeft of [0, 1, 2, 3, 4]) {
    const { storage } = memoryStorage();
    const clock = new FakeClock();
    const pki = await openPki(storage, { clock, names: [] });
    await pki.advance();
    const [first, next] = parsed(pki.ca());
    let left = writesLeft;
    const failing: PkiStorage = {
      ...storage,
      write: async (name, data) => {
        if (left-- <= 0) throw new Error("the power went");
        await storage.write(name, data);
      },
    };
    const other = await openPki(failing, { clock, names: [] });
    await other.advance().catch(() => {});
    const after = await openPki(storage, { clock, names: [] });
    const subjects = parsed(after.ca()).map(({ subject }) => subject);
    assert.deepEqual(subjects.toSorted(), [first!.subject, next!.subject].toSorted());
    const signer = parsed(after.ca())[0]!;
    assert.ok(new X509Certificate(after.serving().cert).verify(signer.publicKey));
  }
});

test("a replacement is given up while nothing is signed by the new authority", async () => {
  const { storage } = memoryStorage();
  const pki = await openPki(storage, { clock: new FakeClock(), names: [] });
  const before = pki.ca();
  await pki.advance();
  await pki.abandon();
  assert.equal(pki.ca(), before);
  assert.equal(pki.phase(), "Settled");
});
