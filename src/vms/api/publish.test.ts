// Where the wing is reached, against a whole API server: from start to start, and by other machines.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { request } from "node:https";
import { after, before, test } from "node:test";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/log.ts";
import { systemRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { makeServing } from "../../main/site/serving.ts";
import { startServer } from "../../main/test-server.ts";
import type { TestServer } from "../../main/test-server.ts";
import { validatePath } from "../admission/reviews.ts";
import { cdiConfigs, virtualMachines } from "../kinds/resources.ts";
import { ensureVms } from "../start.ts";
import { startVmApi } from "./publish.ts";

const namespace = "default";
const elsewhere = "127.0.0.2";
const make = makeServing(systemClock, systemRandom);
let server: TestServer;
let client: Client;

before(async () => {
  server = await startServer({ listen: false });
  client = server.client();
  await ensureVms(client, systemClock);
});
after(() => server.close());

let kept: number | undefined;

async function start(hosts: string[] = []): Promise<Scope> {
  const scope = new Scope();
  const site = make(elsewhere);
  await startVmApi({
    ...{ client, makeServing: make, host: "127.0.0.1", clock: systemClock, log: silent, scope },
    connect: () => assert.fail("no node is asked"),
    port: { read: () => kept, keep: (port) => (kept = port) },
    outside: { hosts, tls: () => site },
  });
  return scope;
}

const machine = (name: string) => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachine",
  metadata: { name },
  spec: { runStrategy: "Halted", template: { spec: { domain: { devices: {} } } } },
});
const create = (name: string) => client.create({ ...virtualMachines, namespace }, machine(name));
const toldOfUploads = async () => (await client.get({ ...cdiConfigs, name: "config" })).status;
const registered = async () => {
  const kind = resource("apiregistration.k8s.io/v1", "apiservices");
  return (await client.get({ ...kind, name: "v1.subresources.kubevirt.io" })).spec.service.port;
};

test("from start to start the wing is where it was, and the API finds it at once", async () => {
  const first = await start();
  const port = kept!;
  await create("before");
  await first.close();
  await assert.rejects(create("between"), /webhook/);
  const second = await start();
  assert.equal(kept, port);
  await create("after");
  assert.equal(await registered(), port);
  await second.close();
});

test("where another program has taken its port, the wing takes another and says so", async () => {
  const thief = createServer().listen(kept, "127.0.0.1");
  await once(thief, "listening");
  const port = kept!;
  const scope = await start();
  thief.close();
  assert.notEqual(kept, port);
  assert.equal(await registered(), kept);
  await create("elsewhere");
  await scope.close();
});

interface Ask {
  path: string;
  method?: string;
  ca: string;
}

async function ask(url: string, { path, method = "GET", ca }: Ask): Promise<number | undefined> {
  const asked = request(new URL(path, url), { method, ca, agent: false }).end();
  const [response] = await once(asked, "response");
  response.resume();
  return response.statusCode;
}

test("other machines bring and take disks where the site listens, and reach nothing else there", async () => {
  const scope = await start([elsewhere]);
  const { uploadProxyURL, uploadProxyCA: ca } = await toldOfUploads();
  assert.equal(new URL(uploadProxyURL).hostname, elsewhere);
  const answers: [Ask, number][] = [
    [{ path: "/v1beta1/upload", method: "HEAD", ca }, 200],
    [{ path: "/v1beta1/upload", method: "POST", ca }, 401],
    [
      {
        path: "/api/export.kubevirt.io/v1/namespaces/a/virtualmachineexports/b/volumes/c/disk.img",
        ca,
      },
      401,
    ],
    [{ path: "/apis/subresources.kubevirt.io/v1", ca }, 404],
    [{ path: "/apis/subresources.kubevirt.io/v1/version", ca }, 404],
    [{ path: "/apis/upload.cdi.kubevirt.io/v1beta1", ca }, 404],
    [{ path: validatePath, method: "POST", ca }, 404],
  ];
  for (const [asked, code] of answers) {
    assert.equal(await ask(uploadProxyURL, asked), code, asked.path);
  }
  await scope.close();
});

test("a site that listens to nobody else is told of on loopback", async () => {
  const scope = await start();
  const { uploadProxyURL, uploadProxyCA: ca } = await toldOfUploads();
  assert.equal(uploadProxyURL, `https://127.0.0.1:${kept}`);
  assert.equal(await ask(uploadProxyURL, { path: "/v1beta1/upload", method: "HEAD", ca }), 200);
  await scope.close();
});
