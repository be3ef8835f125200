import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../lib/fake-clock.ts";
import { silent } from "../lib/log.ts";
import { FakeRuntime } from "./fake-runtime.ts";
import { joinRuntimes } from "./joined-runtime.ts";
import type { SpecialRuntime } from "./joined-runtime.ts";
import type { RuntimePod, SandboxConfig } from "./runtime.ts";

const config = (name: string, handler: string) =>
  ({ podUid: name, namespace: "default", name, attempt: 0, labels: {}, handler }) as SandboxConfig;

const podOf = (uid: string): RuntimePod => ({
  sandboxes: [{ id: `special-${uid}`, podUid: uid } as RuntimePod["sandboxes"][number]],
  containers: [],
});

class Special {
  readonly asked: string[] = [];
  readonly uids = new Set<string>();
  fails = false;
  lacksImages = false;
  has = (id: string) => id.startsWith("special-");
  async runSandbox({ podUid, handler }: SandboxConfig) {
    if (this.fails) throw new Error("no network");
    if (handler !== "special" || this.lacksImages) return undefined;
    this.uids.add(podUid);
    return `special-${podUid}`;
  }
  wantsImages = async () => this.lacksImages;
  pods = () => new Map([...this.uids].map((uid) => [uid, podOf(uid)]));
  pod = (uid: string) => this.pods().get(uid);
  onChange = () => () => {};
  stats = async () => [];
  imagesAre(ids: string[]) {
    this.asked.push(`images ${ids.length}`);
  }
  async stopSandbox(id: string) {
    this.asked.push(`stop ${id}`);
  }
  async close() {
    this.asked.push("close");
  }
}

function joined() {
  const runtime = new FakeRuntime({ clock: new FakeClock() });
  const special = new Special();
  return {
    runtime,
    special,
    both: joinRuntimes(runtime, {
      mayRun: ({ handler }) => handler === "special",
      open: async () => special as unknown as SpecialRuntime,
      log: silent,
    }).runtime,
  };
}

test("a pod is run by the special runtime where it suits, and asked for there ever after", async () => {
  const { both, special, runtime } = joined();
  const id = await both.runSandbox(config("a", "special"));
  assert.equal(id, "special-a");
  await both.stopSandbox(id);
  assert.deepEqual(special.asked, ["stop special-a"]);
  const other = await both.runSandbox(config("b", ""));
  await both.stopSandbox(other);
  assert.deepEqual(special.asked, ["stop special-a"]);
  assert.deepEqual([...(await both.pods()).keys()].toSorted(), ["a", "b"]);
  assert.deepEqual([...(await runtime.pods()).keys()], ["b"]);
});

test("what the special runtime cannot do, the machine's does", async () => {
  const { both, special } = joined();
  special.fails = true;
  const id = await both.runSandbox(config("a", "special"));
  assert.ok(!special.has(id));
});

test("a pod whose images are not there yet waits for them, and not for longer than they are awaited", async () => {
  const { both, special, runtime } = joined();
  special.lacksImages = true;
  assert.equal(await both.runSandbox(config("a", "special")), undefined);
  assert.equal((await runtime.pods()).size, 0);
  await both.runSandbox({ ...config("a", "special"), imagesAwaited: true });
  assert.deepEqual([...(await runtime.pods()).keys()], ["a"]);
});

test("the machine's runtime is not asked for pods that it cannot know", async () => {
  const { both, runtime } = joined();
  await both.pods();
  const asked: string[] = [];
  const pod = runtime.pod.bind(runtime);
  runtime.pod = (uid) => {
    asked.push(uid);
    return pod(uid);
  };
  await both.runSandbox(config("a", "special"));
  await both.runSandbox(config("b", ""));
  assert.equal((await both.pod("a"))?.sandboxes.length, 1);
  assert.equal((await both.pod("b"))?.sandboxes.length, 1);
  assert.equal(await both.pod("c"), undefined);
  assert.deepEqual(asked, ["b"]);
});

test("a pod that begins while pods are listed is asked for, whoever else lists them", async () => {
  const { both, runtime } = joined();
  const listings: (() => void)[] = [];
  const pods = runtime.pods.bind(runtime);
  runtime.pods = async () => {
    const found = await pods();
    await new Promise<void>((resolve) => listings.push(resolve));
    return found;
  };
  const first = both.pods();
  await new Promise(setImmediate);
  await both.runSandbox(config("b", ""));
  const second = both.pods();
  await new Promise(setImmediate);
  listings.forEach((done) => done());
  await Promise.all([first, second]);
  assert.equal((await both.pod("b"))?.sandboxes.length, 1);
});
