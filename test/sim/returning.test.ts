// Sites that were away for long, and others that only say so.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { resource } from "../../src/client/client.ts";
import type { Client } from "../../src/client/client.ts";
import { managedClusters, manifestWorks } from "../../src/hub/kinds/resources.ts";
import {
  agentUser,
  clusterGroup,
  clusterNameLabel,
  managedClustersGroup,
} from "../../src/hub/names.ts";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { makeRequest } from "../../src/main/wings/member.ts";
import { openPki } from "../../src/server/auth/pki.ts";
import { subjectOf } from "../../src/server/auth/x509.ts";
import { Hub, hubUrl } from "./hub.ts";
import { Site } from "./site.ts";

const dayMs = 86_400_000;
const minuteMs = 60_000;
const requests = resource("certificates.k8s.io/v1", "certificatesigningrequests");
const secrets = { ...resource("v1", "secrets"), namespace: "open-cluster-management-agent" };
const configMaps = { ...resource("v1", "configmaps"), namespace: "default" };

async function world() {
  const clock = new FakeClock();
  const random = seededRandom(1);
  const storage = { read: async () => undefined, write: async () => {} };
  const pki = await openPki(storage, { clock, names: ["sim"] });
  const hub = new Hub({ clock, random, pki });
  await hub.machine.start();
  await clock.advance(1000);
  await hub.permit();
  const sites: Site[] = [];
  const add = async (name: string, invited = true) => {
    const site = new Site({ name, isStranger: !invited, hub, clock, random, pki });
    if (invited) await hub.invite(name, {});
    await site.machine.start();
    sites.push(site);
    await clock.advance(2 * minuteMs);
    return site;
  };
  const stop = async () => {
    for (const { machine } of [...sites, hub]) await machine.crash();
  };
  return { clock, hub, add, stop };
}

const certificateOf = async (site: Site): Promise<string> => {
  const { data }: any = await site.machine
    .client()!
    .get({ ...secrets, name: "hub-kubeconfig-secret" });
  return Buffer.from(data["tls.crt"], "base64").toString();
};

const subjectName = (pem: string) => subjectOf(new X509Certificate(pem)).commonName;

const conditionOf = async (hub: Hub, name: string, type: string) => {
  const { status } = await hub.machine.client()!.get({ ...managedClusters, name });
  return status?.conditions?.find((one: any) => one.type === type)?.status;
};
const available = "ManagedClusterConditionAvailable";

function paint(hub: Client, colour: string, name = "paint") {
  const manifest = {
    ...{ apiVersion: "v1", kind: "ConfigMap", data: { colour } },
    metadata: { name, namespace: "default" },
  };
  const object = {
    ...{ apiVersion: "work.open-cluster-management.io/v1", kind: "ManifestWork" },
    metadata: { name, namespace: "farm" },
    spec: { workload: { manifests: [manifest] } },
  };
  const target = { ...manifestWorks, namespace: "farm", name };
  return hub.patch(target, "apply", object, { fieldManager: "test", force: true });
}

for (const days of [30, 400]) {
  test(`a site that was off for ${days} days is back by itself, and gets what changed`, async () => {
    const { clock, hub, add, stop } = await world();
    const site = await add("farm");
    await paint(hub.machine.client()!, "red");
    await clock.advance(minuteMs);
    const before = await certificateOf(site);
    await site.machine.crash();
    await hub.machine.crash();
    hub.tokensHold = false;
    await clock.advance(days * dayMs);
    await hub.machine.start();
    await clock.advance(10_000);
    await paint(hub.machine.client()!, "blue");
    await site.machine.start();
    await clock.advance(3 * minuteMs);
    assert.equal(await conditionOf(hub, "farm", available), "True");
    const found: any = await site.machine.client()!.get({ ...configMaps, name: "paint" });
    assert.equal(found.data.colour, "blue");
    assert.equal((await certificateOf(site)) !== before, days > 365);
    await stop();
  });
}

test("after an hour without its link, with changes on both sides, both sides' changes stand", async () => {
  const { clock, hub, add, stop } = await world();
  const site = await add("farm");
  const centre = hub.machine.client()!;
  const own = site.machine.client()!;
  for (const name of ["paint", "kept", "ended"]) await paint(centre, "red", name);
  await clock.advance(minuteMs);
  const uidOf = async (name: string) => (await own.get({ ...configMaps, name })).metadata.uid;
  const before = await uidOf("paint");
  site.cut();
  await paint(centre, "blue");
  await paint(centre, "blue", "new");
  await centre.delete({ ...manifestWorks, namespace: "farm", name: "ended" });
  await own.create(configMaps, {
    ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "own" } },
  });
  await own.delete({ ...configMaps, name: "kept" });
  await clock.advance(60 * minuteMs);
  assert.equal(await conditionOf(hub, "farm", available), "Unknown");
  const alone = await own.list<any>(configMaps);
  const colours = (items: any[]) =>
    Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data?.colour]));
  // What it knows of is put right without its hub, too.
  assert.deepEqual(colours(alone.items), {
    ...{ ended: "red", kept: "red", own: undefined, paint: "red" },
  });
  site.mend();
  await clock.advance(3 * minuteMs);
  assert.equal(await conditionOf(hub, "farm", available), "True");
  const { items } = await own.list<any>(configMaps);
  assert.deepEqual(colours(items), { kept: "red", new: "blue", own: undefined, paint: "blue" });
  assert.equal(await uidOf("paint"), before);
  await stop();
});

describe("others at the hub's door", () => {
  let hub: Hub;
  let clock: FakeClock;
  let stop: () => Promise<void>;
  let old: string;
  let farm: Site;
  let add: (name: string, invited?: boolean) => Promise<Site>;

  /** What becomes of a request for `cluster` by whoever holds these credentials. */
  async function ask(
    credentials: { cert?: string; token?: () => string },
    cluster: string,
    agent: string,
  ) {
    const subject = {
      commonName: agentUser(cluster, agent),
      organizations: [clusterGroup(cluster), managedClustersGroup],
    };
    const made = await hub.as({ server: hubUrl, ...credentials }).create(requests, {
      ...{ apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest" },
      metadata: { generateName: `${cluster}-`, labels: { [clusterNameLabel]: cluster } },
      spec: {
        request: Buffer.from(makeRequest(subject).request).toString("base64"),
        signerName: "kubernetes.io/kube-apiserver-client",
        usages: ["digital signature", "client auth"],
      },
    });
    await clock.advance(30_000);
    const { status } = await hub.machine.client()!.get({ ...requests, name: made.metadata.name });
    return status?.certificate ? "given" : (status?.conditions?.[0]?.type ?? "waits");
  }

  const agentOf = (pem: string) => /:([a-z0-9]+)$/.exec(subjectName(pem))![1]!;

  before(async () => {
    ({ clock, hub, add, stop } = await world());
    farm = await add("farm");
    const shop = await add("shop");
    await shop.machine.crash();
    old = await certificateOf(farm);
    await farm.machine.crash();
    await hub.machine.crash();
    await clock.advance(400 * dayMs);
    await hub.machine.start();
    await clock.advance(10_000);
    await farm.machine.start();
    await clock.advance(3 * minuteMs);
  });
  after(() => stop());

  test("an old certificate brings nobody in after another was given and shown", async () => {
    const now = await certificateOf(farm);
    assert.notEqual(now, old);
    assert.equal(await ask({ cert: now }, "farm", agentOf(now)), "given");
    assert.equal(await ask({ cert: old }, "farm", agentOf(old)), "waits");
    await assert.rejects(
      hub.as({ server: hubUrl, cert: old }).get({ ...managedClusters, name: "farm" }),
      {
        reason: "Forbidden",
      },
    );
  });

  test("a site that says it is another waits for a person", async () => {
    const now = await certificateOf(farm);
    assert.equal(await ask({ cert: now }, "shop", "a1"), "waits");
    assert.equal(await ask({ token: () => "site:farm" }, "shop", "a1"), "waits");
    assert.equal(await ask({ token: () => "stranger" }, "shop", "a1"), "waits");
  });

  test("more than ten questions that nobody answers are denied", async () => {
    const answers = [];
    for (let i = 0; i < 12; i++)
      answers.push(await ask({ token: () => "stranger" }, "barn", `a${i}`));
    assert.deepEqual(answers.slice(10), ["Denied", "Denied"]);
  });

  test("a site cannot change what it is chosen by, nor accept itself", async () => {
    const now = await certificateOf(farm);
    const own = hub.as({ server: hubUrl, cert: now });
    const target = { ...managedClusters, name: "farm" };
    const cluster: any = structuredClone(await own.get(target));
    const labelled = { ...cluster, metadata: { ...cluster.metadata, labels: { region: "north" } } };
    await assert.rejects(own.update(target, labelled), { reason: "Forbidden" });
    const spec = { ...cluster.spec, hubAcceptsClient: false };
    await assert.rejects(own.update(target, { ...cluster, spec }), { reason: "Forbidden" });
    const managedClusterClientConfigs = [{ url: "https://farm.example.org" }];
    await own.update(target, {
      ...cluster,
      spec: { ...cluster.spec, managedClusterClientConfigs },
    });
  });

  test("a rule accepts whom it names, and nobody under a name that is taken", async () => {
    const client = hub.machine.client()!;
    await client.create(resource("fleet.kerb.dev/v1alpha1", "autoacceptrules"), {
      ...{ apiVersion: "fleet.kerb.dev/v1alpha1", kind: "AutoAcceptRule" },
      metadata: { name: "kiosks" },
      spec: {
        groups: ["system:bootstrappers:kerb:sites"],
        names: ["kiosk-*", "shop"],
        labels: { size: "small" },
      },
    });
    await add("kiosk-1", false);
    assert.equal(await conditionOf(hub, "kiosk-1", available), "True");
    const { metadata } = await client.get({ ...managedClusters, name: "kiosk-1" });
    assert.equal(metadata.labels!["size"], "small");
    assert.equal(await ask({ token: () => "stranger" }, "shop", "a9"), "waits");
  });
});
