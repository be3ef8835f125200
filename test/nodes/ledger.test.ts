// Three machines live through a drain, a cut that is longer than every timeout, a power cut behind it, and the return,
// while clients keep asking. One of the two that are cut off takes care of its pods alone; the other is the control.
// What is judged is the ledger: restarts, addresses, and requests served in each phase.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import { busyboxArchive, importBusybox } from "../support/image.ts";
import { Machine } from "../support/machine.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { changes, podsOf, Requests } from "./ledger.ts";
import type { Asked, Pods } from "./ledger.ts";
import { around, client, greeting, policy, web } from "./manifests.ts";

/** A node's lease counts 40 seconds, and pods of the story stay five more. */
const longerThanEveryTimeoutMs = 75_000;

let site: Site;
const [east, west] = [new Machine(), new Machine()];
const told: string[] = [];
const asked: Record<string, Requests> = {};

const pods = async (app: string): Promise<Pods> =>
  podsOf(await site.get("pods", "-l", `app in (${app})`));
const on = (all: Pods, node: string) => [...all].filter(([, one]) => one.node === node);

/** What is written down of a phase, and told at the end. */
function phase(name: string, who: string, deeds: string[] = []): Asked {
  const now = asked[who]!.since();
  const by = [...now.by].map(([pod, n]) => `${pod} ${n}`).join(", ");
  told.push(`${name}: ${who} was served ${now.served}, lost ${now.lost} (${by})`, ...deeds);
  return now;
}

const rollout = (name: string) =>
  site.kubectl(["rollout", "status", `deployment/${name}`, "--timeout=120s"]);

/** Where the claim's volume lies: the machines of the story share a disk. */
async function volumeOf(node: string): Promise<string> {
  const { spec } = await site.get("pvc", `client-${node}`);
  return (await site.get("pv", spec.volumeName)).spec.local.path;
}

const isReady = async (node: string) =>
  /^\S+ +Ready/.test(await site.kubectl(["get", "node", node, "--no-headers"]));

before(async () => {
  await Promise.all([east, west].map((machine) => machine.start()));
  const listen = [east, west].flatMap(({ hostAddress }) => ["--listen", hostAddress]);
  site = await startSite("--name", "centre", "--pod-network", "vxlan", ...listen);
  const [server, ...secrets] = (await site.joinWords()) as [string];
  await importBusybox(site);
  const archive = join(site.directory, "busybox.tar");
  writeFileSync(archive, busyboxArchive());
  const join_ = async (machine: Machine, ...more: string[]) => {
    const at = `https://${machine.hostAddress}:${new URL(server).port}`;
    await machine.join(at, ...secrets, ...more);
    await machine.kerb("image", "import", archive);
  };
  await Promise.all([
    join_(east, "--name", "east", "--autonomy-duration", "forever"),
    join_(west, "--name", "west"),
  ]);
});
after(async () => {
  for (const line of told) console.log(line);
  for (const machine of [east, west]) await machine.remove();
  await site.remove();
});

test("a Deployment is spread over three machines, and its Service and policy hold on all of them", async () => {
  await site.apply([around, greeting("hello"), policy(), web(6)].join("---"));
  await site.apply(["centre", "east", "west"].map(client).join("---"));
  for (const name of ["web", "client-centre", "client-east", "client-west"]) await rollout(name);
  const all = await pods("web");
  for (const node of ["centre", "east", "west"]) {
    assert.equal(on(all, node).length, 2, node);
    const folder = await volumeOf(node);
    asked[node] = new Requests(() => join(folder, "asked"));
  }
  await eventually(async () => asked["west"]!.since().served > 0, "the first answer");
  for (const node of ["centre", "east", "west"]) asked[node]!.since();
  await setTimeout(8000);
  for (const node of ["centre", "east", "west"]) {
    const { lost, by } = phase("at rest", node);
    assert.equal(lost, 0, node);
    assert.ok(by.size >= 5, `${node} heard ${[...by.keys()].join()}`);
    await site.kubectl(["wait", `pod/stranger-${node}`, "--for=condition=Ready"]);
    const refused = await site.tryKubectl([
      ...["exec", `stranger-${node}`, "--", "timeout", "2", "wget", "-qO-", "http://web"],
    ]);
    assert.notEqual(refused.code, 0, `a stranger on ${node}`);
  }
});

test("a drain with a budget loses no request, and no pod but those that were there", async () => {
  const before = await pods("web");
  const drain = ["drain", "west", "--ignore-daemonsets", "--force", "--timeout=120s"];
  const selected = ["--pod-selector", "app=web"];
  await site.kubectl([...drain, ...selected]);
  await rollout("web");
  await setTimeout(2000);
  const now = await pods("web");
  const deeds = changes(before, now);
  assert.equal(phase("drain", "centre", deeds).lost, 0);
  assert.equal(phase("drain", "east").lost, 0);
  assert.equal(on(now, "west").length, 0);
  assert.deepEqual(
    deeds.filter((one) => !/ on west is gone$| is new on /.test(one)),
    [],
  );
  await site.kubectl(["uncordon", "west"]);
  await site.apply(web(9));
  await rollout("web");
  assert.equal(on(await pods("web"), "west").length, 3);
});

const tasks = async (machine: Machine) => {
  const ctr = ["ctr", "--address", join(machine.directory, "containerd/containerd.sock")];
  const text = await machine.run(...ctr, "-n", "k8s.io", "tasks", "ls");
  return [...text.matchAll(/^(\S+) +(\d+) +RUNNING/gm)].map(([, id, pid]) => ({
    id: id!,
    pid: Number(pid),
  }));
};
const idOf = ({ container }: { container: string }) => container.replace("containerd://", "");
const until = (look: () => Promise<boolean>, what: string) => eventually(look, what);

let beforeCut: Pods;
let deleted: string;
let killed: string;

test("what is cut off for longer than every timeout goes on, and what said that it can is not replaced", async () => {
  // What a node remembers is on its disk within seconds.
  await setTimeout(11_000);
  beforeCut = await pods("web, client");
  for (const node of ["centre", "east"]) asked[node]!.since();
  await Promise.all([east.plug(false), west.plug(false)]);
  await until(async () => !(await isReady("east")), "a silent node").catch(() => {});
  await until(async () => !(await isReady("east")) && !(await isReady("west")), "silent nodes");
  await until(async () => {
    const { items } = await site.get("endpointslices", "-l", "kubernetes.io/service-name=web");
    const all: any[] = items.flatMap((slice: any) => slice.endpoints ?? []);
    return all.every(({ nodeName, conditions }) => nodeName === "centre" || !conditions.ready);
  }, "endpoints where the link is whole");
  await setTimeout(4000);
  for (const node of ["centre", "east"]) phase("before the cut is known", node);
  // Changes on this side.
  await site.apply([greeting("changed"), policy("stranger")].join("---"));
  [deleted, killed] = on(beforeCut, "east")
    .map(([name]) => name)
    .filter((name) => name.startsWith("web")) as [string, string];
  await site.kubectl(["delete", "pod", deleted, "--wait=false"]);
  // And on the other: a container ends.
  const { pid } = (await tasks(east)).find(({ id }) => id === idOf(beforeCut.get(killed)!))!;
  process.kill(pid, "SIGKILL");
  await setTimeout(longerThanEveryTimeoutMs - 40_000);
  const now = await pods("web, client");
  const deeds = changes(beforeCut, now);
  assert.equal(phase("cut", "centre", deeds).lost, 0, "where the link is whole");
  const mayGo = new RegExp(
    `^${deleted} on east is gone$|on west is gone$|is new on (centre|undefined)`,
  );
  assert.deepEqual(
    deeds.filter((one) => !mayGo.test(one)),
    [],
  );
  assert.equal(deeds.filter((one) => / on west is gone/.test(one)).length, 4, "the control");
  const there = phase("cut", "east");
  assert.ok(there.served > 50, "the node that is cut off serves itself");
  assert.ok(there.lost <= 2, `${there.lost}: more than the container that was killed`);
  const running = await tasks(east);
  assert.ok(!running.some(({ id }) => id === idOf(beforeCut.get(killed)!)), "it ended");
});

let boots: number;
const bootsOf = async () =>
  readFileSync(join(await volumeOf("east"), "boots"), "utf8").split("\n").length;

test("a power cut behind the cut: all is there again, by the same names and addresses", async () => {
  boots = await bootsOf();
  const count = (await tasks(east)).length;
  await east.reboot({ isPlugged: false });
  await east.join();
  await until(async () => (await tasks(east)).length === count, "all containers");
  await until(async () => (await bootsOf()) > boots, "the volume's next boot");
  await until(async () => asked["east"]!.since().served > 0, "an answer after the power cut");
  asked["east"]!.since();
  await setTimeout(10_000);
  const { lost, by } = phase("power cut, still cut off", "east");
  assert.equal(lost, 0);
  const names = on(beforeCut, "east").map(([name]) => name);
  for (const name of by.keys()) assert.ok(names.includes(name), `${name} answers`);
});

test("on return nothing restarts, and both sides know what the other did", async () => {
  const running = (await tasks(east)).map(({ id }) => id);
  for (const node of ["centre", "east"]) asked[node]!.since();
  await Promise.all([east.plug(true), west.plug(true)]);
  const back = ["wait", "node", "east", "west", "--for=condition=Ready", "--timeout=120s"];
  await site.kubectl(back);
  const isGone = async () =>
    (await site.tryKubectl(["get", "pod", deleted])).stderr.includes("NotFound");
  await until(isGone, "the end of what was deleted meanwhile");
  await until(
    async () => [...(await pods("web, client")).values()].every(({ ip }) => ip),
    "addresses",
  );
  for (const name of ["web", "client-east", "client-west"]) await rollout(name);
  const page = async () => {
    const mine = on(await pods("web"), "east").map(([, { ip }]) => `http://${ip}:8080/`);
    const ask = ["exec", "stranger-centre", "--", "timeout", "2", "wget", "-qO-"];
    const pages = await Promise.all(mine.map((url) => site.kubectl([...ask, url])));
    return pages.length > 0 && pages.every((text) => text.endsWith(" changed sesame\n"));
  };
  await eventually(page, "the new ConfigMap and policy on the node that was away");
  await setTimeout(5000);
  const now = await pods("web, client");
  const deeds = changes(beforeCut, now).filter((one) => / east| moved|another/.test(one));
  phase("return", "centre", deeds);
  phase("return", "east");
  const left = (await tasks(east)).map(({ id }) => id);
  const ended = running.filter((id) => !left.includes(id));
  assert.ok(ended.length <= 2, `ended on return: ${ended.length}, two were of the deleted pod`);
  for (const [name, was] of on(beforeCut, "east").filter(([one]) => one !== deleted)) {
    const is = now.get(name);
    assert.equal(is?.uid, was.uid, name);
    assert.equal(is?.ip, was.ip, name);
    assert.equal(is!.restarts - was.restarts, name === killed ? 2 : 1, `${name} restarted`);
  }
  await setTimeout(8000);
  assert.equal(phase("after", "centre").lost, 0);
  assert.equal(phase("after", "east").lost, 0);
});
