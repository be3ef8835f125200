// A whole API server with machines, for unit tests: their controllers and subresources run, and the test is the node.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { resource } from "../../src/client/client.ts";
import type { Client } from "../../src/client/client.ts";
import { Informers } from "../../src/client/informers.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silent } from "../../src/lib/log.ts";
import { systemRandom } from "../../src/lib/random.ts";
import { Scope } from "../../src/lib/scope.ts";
import { makeServing } from "../../src/main/site/serving.ts";
import { startServer } from "../../src/main/test-server.ts";
import { startVmApi } from "../../src/vms/api/publish.ts";
import { instances, pods, virtualMachines } from "../../src/vms/kinds/resources.ts";
import { ensureVms, startVmControllers } from "../../src/vms/start.ts";

export const namespace = "default";

/** What `look` gives once it does not throw. */
export async function until<T>(look: () => Promise<T>): Promise<T> {
  for (let tries = 0; tries < 6000; tries++) {
    const found = await look().then(
      (value) => ({ value }),
      () => undefined,
    );
    if (found) return found.value;
    await setTimeout(20);
  }
  return look();
}

export const domain = { devices: {}, memory: { guest: "64Mi" } };

const machine = (name: string, spec: object, template: any = { domain }) => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachine",
  metadata: { name },
  spec: { template: { metadata: { labels: { app: name } }, spec: template }, ...spec },
});

/** What a test asks of the cluster `client` reaches. */
function helpersOf(client: Client) {
  const create = (name: string, spec: object, template?: any) =>
    client.create({ ...virtualMachines, namespace }, machine(name, spec, template));
  const vm = (name: string) => client.get({ ...virtualMachines, namespace, name });
  const vmi = (name: string) => client.get({ ...instances, namespace, name });
  const status = async (name: string) => (await vm(name)).status?.printableStatus;
  const isStatus = (name: string, wanted: string) =>
    until(async () => assert.equal(await status(name), wanted));
  const gone = (name: string) => until(() => assert.rejects(vmi(name), /not found/));

  async function podOf(name: string) {
    const labelSelector = `vm.kubevirt.io/name=${name}`;
    const { items } = await client.list({ ...pods, namespace }, { labelSelector });
    const pod = items.find(({ metadata }) => !metadata.deletionTimestamp);
    assert.ok(pod, `no pod of ${name}`);
    return pod;
  }

  /** As a node does: the pod runs, then the guest. */
  async function boot(name: string) {
    const pod = await until(() => podOf(name));
    const at = { ...pods, namespace, name: pod.metadata.name };
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: at.name },
      target: { kind: "Node", name: "box" },
    };
    await client.create({ ...at, subresource: "binding" }, binding).catch(() => {});
    const containerStatuses = [
      {
        name: "compute",
        image: "x",
        imageID: "",
        ready: true,
        restartCount: 0,
        state: { running: {} },
      },
    ];
    const conditions = [{ type: "Ready", status: "True" }];
    await client.patch({ ...at, subresource: "status" }, "merge", {
      status: { phase: "Running", containerStatuses, conditions },
    });
    await until(async () => assert.equal((await vmi(name)).status.phase, "Scheduled"));
    await until(async () => {
      const now = await vmi(name);
      const phaseTransitionTimestamps = [
        ...now.status.phaseTransitionTimestamps,
        { phase: "Running", phaseTransitionTimestamp: "2030-01-01T00:00:00Z" },
      ];
      const next = {
        ...now,
        status: { ...now.status, phase: "Running", phaseTransitionTimestamps },
      };
      await client.update({ ...instances, namespace, name }, next);
    });
    return pod;
  }

  /** As a node does once the pod is told to go. */
  async function end(name: string, phase = "Succeeded") {
    const { items } = await client.list(
      { ...pods, namespace },
      { labelSelector: `vm.kubevirt.io/name=${name}` },
    );
    for (const { metadata } of items) {
      const at = { ...pods, namespace, name: metadata.name };
      await client
        .patch({ ...at, subresource: "status" }, "merge", { status: { phase } })
        .catch(() => {});
      if (metadata.deletionTimestamp) await client.delete(at, { gracePeriodSeconds: 0 });
    }
  }
  return { create, vm, vmi, isStatus, gone, podOf, boot, end };
}

/** Running until `close`. `answers` are the node's, by method; what it was asked is in `asked`. */
export async function startMachines(answers: Record<string, (...args: any[]) => unknown> = {}) {
  const scope = new Scope();
  const asked: string[] = [];
  const server = await startServer({ listen: false, controllers: true });
  const client = server.client();
  const world = { clock: systemClock, random: systemRandom, log: silent, scope };
  const acting = server.client({ name: "system:kerb:vms", groups: ["system:masters"] });
  const informers = new Informers({ client: acting, ...world });
  const connect = async (): Promise<any> => ({
    ask: async (_part: string, { method, args = [] }: any) => {
      asked.push(method);
      return answers[method]?.(...args);
    },
    dial: async () => new PassThrough(),
  });
  const makeAll = makeServing(systemClock, systemRandom);
  await ensureVms(client, systemClock);
  const port = { read: () => undefined, keep: () => {} };
  const outside = { hosts: [], tls: () => assert.fail("nobody is outside") };
  const own = { connect, makeServing: makeAll, host: "127.0.0.1", port, outside };
  await startVmApi({ client, ...own, ...world });
  const digestOf = () => assert.fail("no registry is asked");
  const found = { informers, ...world, connect, digestOf, discover: async () => [] };
  await startVmControllers({ client: acting, ...found });
  await until(() =>
    client.get({ ...resource("v1", "serviceaccounts"), namespace, name: "default" }),
  );
  const close = async () => {
    await scope.close();
    await server.close();
  };
  return { server, client, asked, close, ...helpersOf(client) };
}
