import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { domainOf } from "../domain-of.ts";
import { bootSector, whyNoKvm } from "./boot-probe.ts";
import { GuestAgent } from "./guest-agent.ts";
import { guestAgentInfo, guestInterfaces } from "./guest-facts.ts";
import { nodeLabels } from "./labels.ts";
import { Qmp } from "./qmp.ts";
import { diskTargets, migratable, nodeStatus } from "./status.ts";
import type { VmFacts } from "./status.ts";

test("KVM is tried where a processor helps it, and not where a kernel only plays it", () => {
  const rows: [Parameters<typeof whyNoKvm>[0], RegExp | undefined][] = [
    [{ hasDevice: false, modules: [], architecture: "x64" }, /no \/dev\/kvm/],
    [
      { hasDevice: true, modules: ["kvm_pvm"], architecture: "x64" },
      /without the processor's help \(kvm_pvm\)/,
    ],
    [{ hasDevice: true, modules: ["kvm_amd"], architecture: "x64" }, undefined],
    [{ hasDevice: true, modules: [], architecture: "arm64" }, undefined],
  ];
  for (const [hardware, expected] of rows) {
    const why = whyNoKvm(hardware);
    if (expected) assert.match(why!, expected);
    else assert.equal(why, undefined);
  }
  const sector = bootSector();
  assert.equal(sector.length, 512);
  assert.equal(sector.readUInt16LE(510), 0xaa55);
});

test("a node's labels name its processors, and lose those it has no more", () => {
  const before = { "cpu-model.node.kubevirt.io/Old": "true", other: "kept" };
  const labels = nodeLabels({ models: ["EPYC", "odd name"], dedicatesCpus: true }, before);
  assert.equal(labels["kubevirt.io/schedulable"], "true");
  assert.equal(labels["cpumanager"], "true");
  assert.equal(labels["cpu-model.node.kubevirt.io/EPYC"], "true");
  assert.equal(labels["cpu-model.node.kubevirt.io/Old"], null);
  assert.ok(!("other" in labels) && !("cpu-model.node.kubevirt.io/odd name" in labels));
});

/** QEMU's end of a monitor that answers by a table. */
async function monitor(answers: Record<string, object>) {
  const [ours, theirs] = duplexPair();
  theirs.write(`{"QMP": {"version": {}}}\n`);
  theirs.on("data", (chunk: Buffer) => {
    for (const line of chunk.toString().trim().split("\n")) {
      const { execute, id } = JSON.parse(line);
      theirs.write(`${JSON.stringify({ ...(answers[execute] ?? { return: {} }), id })}\n`);
    }
  });
  return { qmp: await Qmp.open(ours), theirs };
}

test("a monitor answers each command, refuses in QEMU's words, and tells events", async () => {
  const { qmp, theirs } = await monitor({
    "query-status": { return: { status: "running" } },
    cont: { error: { class: "GenericError", desc: "no such luck" } },
  });
  const events: string[] = [];
  qmp.onEvent(({ event }) => events.push(event));
  const [status] = await Promise.all([
    qmp.execute("query-status"),
    assert.rejects(qmp.execute("cont"), { reason: "BadRequest", message: "no such luck" }),
  ]);
  assert.equal(status.status, "running");
  theirs.write(`no json\n{"event": "ST`);
  theirs.write(`OP"}\n`);
  await qmp.execute("query-status");
  assert.deepEqual(events, ["STOP"]);
  theirs.removeAllListeners("data");
  const asked = qmp.execute("system_reset");
  theirs.destroy();
  qmp.close();
  await assert.rejects(asked, { reason: "ServiceUnavailable" });
});

test("an agent's late answers are not taken for those to later questions", async () => {
  const [ours, theirs] = duplexPair();
  const agent = new GuestAgent(ours, new FakeClock());
  theirs.on("data", (chunk: Buffer) => {
    const start = chunk.lastIndexOf(0xff) + 1;
    const line = chunk.subarray(start).toString().trim();
    if (!line) return;
    const { execute, arguments: args } = JSON.parse(line);
    if (execute === "guest-sync-delimited") {
      theirs.write(`{"error": {"desc": "JSON parse error"}}\n{"return": "late"}\n`);
      theirs.write(Buffer.concat([Buffer.from([0xff]), Buffer.from(`{"return": ${args.id}}\n`)]));
    } else theirs.write(`${JSON.stringify({ return: execute })}\n`);
  });
  assert.equal(await agent.execute("guest-ping"), "guest-ping");
  assert.equal(await agent.execute("guest-info"), "guest-info");
});

test("an agent that never answers is waited for so long and no longer", async () => {
  const [ours] = duplexPair();
  const clock = new FakeClock();
  const asked = new GuestAgent(ours, clock).execute("guest-ping", undefined, 1000);
  asked.catch(() => {});
  await clock.advance(1001);
  await assert.rejects(asked, /guest agent is not connected/);
});

test("what a guest says of itself is taken apart with care", () => {
  const nonsense: any[] = [undefined, 5, "x", [], [null], { a: 1 }];
  for (const answer of nonsense) assert.ok(Array.isArray(guestInterfaces(answer)));
  const info = guestAgentInfo({
    info: { version: "7.2", supported_commands: "no list" },
    os: { "pretty-name": "x".repeat(10_000) },
    users: [{ user: "root", "login-time": "soon" }],
  });
  assert.equal(info.os.prettyName.length, 256);
  assert.deepEqual(info.userList, [{ userName: "root", loginTime: 0 }]);
  const [eth0] = guestInterfaces([
    { name: "lo" },
    {
      name: "eth0",
      "hardware-address": "02:00:00:00:00:0A",
      "ip-addresses": [{ "ip-address": "10.0.2.2" }, { "ip-address": "fe80::1" }],
    },
  ]);
  assert.deepEqual(eth0, {
    interfaceName: "eth0",
    mac: "02:00:00:00:00:0a",
    addresses: ["10.0.2.2"],
  });
});

const metadata = {
  ...{ namespace: "till", name: "shop", uid: "1", resourceVersion: "1", creationTimestamp: "" },
};
const vmi = (spec: any, status: any = {}) => ({
  ...{ apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstance", metadata, status },
  spec: { domain: { devices: {} }, ...spec },
});

const facts = (spec: any, more: Partial<VmFacts> = {}): VmFacts => ({
  domain: domainOf(vmi(spec), { isBlock: () => false, isShared: (claim) => claim === "shared" }),
  ...{ status: "running", stopReason: "", agentConnected: false, frozen: false, access: undefined },
  ...{ accelerator: "tcg", podIps: ["10.1.0.7"], guestInterfaces: [], guestOs: undefined },
  plugged: [],
  ...more,
});

test("disks have the names that Linux gives them", () => {
  const disks = ["virtio", "sata", "virtio", "scsi"].map((bus, i) => ({ name: `d${i}`, bus }));
  assert.deepEqual(
    [...diskTargets(disks)].map(([, target]) => target),
    ["vda", "sda", "vdb", "sdb"],
  );
  const many = Array.from({ length: 28 }, (_, i) => ({ name: `d${i}`, bus: "virtio" }));
  assert.equal([...diskTargets(many).values()].at(-1), "vdab");
});

test("a VM can move unless something ties it to its node", () => {
  const volume = (source: object) => ({ volumes: [{ name: "v", ...source }] });
  const rows: [any, string | undefined][] = [
    [{}, undefined],
    [volume({ emptyDisk: { capacity: "1Gi" } }), undefined],
    [volume({ persistentVolumeClaim: { claimName: "shared" } }), undefined],
    [volume({ persistentVolumeClaim: { claimName: "own" } }), "DisksNotLiveMigratable"],
    [volume({ hostDisk: { path: "/a/b", type: "Disk" } }), "DisksNotLiveMigratable"],
    [
      {
        domain: { devices: { interfaces: [{ name: "a", bridge: {} }] } },
        networks: [{ name: "a", pod: {} }],
      },
      "InterfaceNotLiveMigratable",
    ],
    [{ domain: { memory: { hugepages: { pageSize: "2Mi" } } } }, "HugepagesNotLiveMigratable"],
    [{ domain: { devices: { tpm: {} } } }, undefined],
    [{ domain: { devices: { tpm: { persistent: true } } } }, "PersistentTPMNotLiveMigratable"],
  ];
  for (const [spec, reason] of rows) {
    const { domain } = facts(spec);
    assert.equal(migratable(domain, "tcg").reason, reason);
  }
});

test("an instance runs once its QEMU answers, and says how", () => {
  const next = nodeStatus(vmi({}, { phase: "Scheduled" }), facts({}), 0) as any;
  assert.equal(next.phase, "Running");
  assert.equal(next.phaseTransitionTimestamps.length, 1);
  assert.partialDeepStrictEqual(next.interfaces, [{ ipAddress: "10.1.0.7", name: "default" }]);
  const types = next.conditions.map(({ type }: any) => type);
  assert.deepEqual(types, ["LiveMigratable", "StorageLiveMigratable", "SoftwareEmulation"]);
  const again = nodeStatus(vmi({}, next), facts({}), 5000);
  assert.deepEqual(again, next, "nothing changes when nothing changed");
});

test("a pause by a person and one by a full disk are told apart, and pass", () => {
  const of = (more: Partial<VmFacts>, status = {}) =>
    (nodeStatus(vmi({}, status), facts({}, more), 0) as any).conditions.find(
      ({ type }: any) => type === "Paused",
    );
  assert.equal(of({ status: "paused" }).reason, "PausedByUser");
  const full = of({ status: "io-error", stopReason: "no space left for a disk" });
  assert.equal(full.reason, "PausedIOError");
  assert.match(full.message, /no space left/);
  assert.equal(of({}, { conditions: [full] }), undefined);
  const { domain } = facts({});
  const begun = { status: "prelaunch", domain: { ...domain, startPaused: true } };
  assert.equal(of(begun).reason, "PausedByUser", "started paused, it is people's to begin");
  assert.equal(of({ status: "prelaunch" }), undefined, "and not while it waits for its disks");
});

test("what others say of an instance stays", () => {
  const status = {
    phase: "Running",
    qosClass: "Burstable",
    conditions: [{ type: "Ready", status: "True" }],
    volumeStatus: [{ name: "hot", target: "", hotplugVolume: { attachPodName: "p" } }],
  };
  const next = nodeStatus(vmi({}, status), facts({}), 0) as any;
  assert.equal(next.qosClass, "Burstable");
  assert.equal(next.conditions[0].type, "Ready");
  assert.equal(next.volumeStatus[0].hotplugVolume.attachPodName, "p");
});
