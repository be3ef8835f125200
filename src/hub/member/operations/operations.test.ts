import assert from "node:assert/strict";
import { test } from "node:test";
import type { SiteOperation } from "../../kinds/site-operation.ts";
import { changeConfiguration } from "./change-configuration.ts";
import { failed, running } from "./host.ts";
import type { KerbHost, OperationSite } from "./host.ts";
import { nextOperation, statusAfter } from "./operation-controller.ts";
import { pullProblem, wantedPods } from "./prestage-images.ts";
import { nextStep } from "./rotate-authority.ts";
import { updateKerb } from "./update-kerb.ts";

const minute = 60_000;
const at = (ms: number) => new Date(ms).toISOString();

for (const [what, status, phase, wanted] of [
  ["begins", {}, "Settled", "advance"],
  ["takes over what a person began", {}, "TrustBoth", "note"],
  ["rests", { step: "TrustBoth", steppedAt: at(0) }, "TrustBoth", "rest"],
  [
    "goes on when it has rested",
    { step: "TrustBoth", steppedAt: at(-5 * minute) },
    "TrustBoth",
    "advance",
  ],
  [
    "notes what it did before the power went",
    { step: "TrustBoth", steppedAt: at(0) },
    "IssueNew",
    "note",
  ],
  ["does the last step", { step: "IssueNew", steppedAt: at(-5 * minute) }, "IssueNew", "advance"],
  ["is done", { step: "IssueNew", steppedAt: at(0) }, "Settled", "done"],
] as const) {
  test(`a rotation ${what}`, () => {
    assert.equal(nextStep(status, phase, { restMs: 2 * minute, now: minute }).do, wanted);
  });
}

test("a clock that jumped back makes no rest longer than it is", () => {
  const status = { step: "TrustBoth", steppedAt: at(100 * minute) };
  const next = nextStep(status, "TrustBoth", { restMs: minute, now: 0 });
  assert.deepEqual(next, { do: "rest", ms: minute });
});

const operation = (name: string, status?: object) =>
  ({
    metadata: { name, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { type: "UpdateKerb", release: { version: "2.0.0", url: "/", sha256: "" } },
    status,
  }) as unknown as SiteOperation;

test("operations go one after the other; what began is finished first", () => {
  const next = (...all: SiteOperation[]) => nextOperation(all)?.metadata.name;
  assert.equal(next(operation("b"), operation("a")), "a");
  assert.equal(next(operation("a"), operation("b", { phase: "Running" })), "b");
  assert.equal(next(operation("a", { phase: "Complete" }), operation("b")), "b");
  assert.equal(next(operation("a", { phase: "Failed" })), undefined);
});

test("a step keeps its time until another begins", () => {
  const first = statusAfter(undefined, running("Pull", "1 of 2"), "T1");
  assert.deepEqual([first.startedAt, first.steppedAt], ["T1", "T1"]);
  const second = statusAfter(first, running("Pull", "2 of 2"), "T2");
  assert.equal(second.steppedAt, "T1");
  const last = statusAfter(second, failed("no"), "T3");
  assert.deepEqual([last.startedAt, last.finishedAt, last.step], ["T1", "T3", undefined]);
});

type Report = ReturnType<KerbHost["releases"]["report"]>;

for (const [what, report, status, outcome, optionsTried] of [
  [
    "is fetched first",
    { version: "1.0.0" },
    undefined,
    /Running Switch: release 2\.0\.0 is staged/,
  ],
  [
    "waits while other options are tried",
    { version: "1.0.0" },
    { step: "Switch" },
    /Running Wait: other options are to prove themselves/,
    { change: "u" },
  ],
  [
    "is then switched to",
    { version: "1.0.0" },
    { step: "Switch" },
    /Running Switch: 1\.0\.0 stops \+/,
  ],
  [
    "is waited for while it is tried",
    { version: "2.0.0", trying: { version: "2.0.0" } },
    { step: "Switch" },
    /Running Switch: .* prove itself/,
  ],
  ["is the site's when it runs", { version: "2.0.0" }, { step: "Switch" }, /Complete/],
  [
    "that did not prove itself is a failure",
    { version: "1.0.0", failed: { version: "2.0.0", message: "it hung" } },
    { step: "Switch" },
    /Failed .*it hung; 1\.0\.0 runs/,
  ],
  [
    "that failed before is tried anew by another operation",
    { version: "1.0.0", failed: { version: "2.0.0", message: "it hung" } },
    undefined,
    /Running Switch: release 2\.0\.0 is staged/,
  ],
] as const) {
  test(`a release ${what}`, async () => {
    const releases = { report: () => report as Report, stage: async () => {}, become: () => {} };
    const configuration = { report: () => ({ trying: optionsTried }) };
    const site = { kerb: { releases, configuration } } as unknown as OperationSite;
    const progress = await updateKerb(operation("a", status), site);
    const { phase, step = "", message, after } = progress;
    assert.match(`${phase} ${step}: ${message} ${after ? "+" : ""}`, outcome);
  });
}

type Configured = Partial<ReturnType<KerbHost["configuration"]["report"]>>;
const good = { vms: ["true"] };

for (const [what, report, status, outcome] of [
  ["is said first", {}, undefined, /Running Restart: the site is to start anew $/],
  ["then starts the site anew", {}, { step: "Restart" }, /Running Restart: .* starts anew \+/],
  ["is waited for while it is tried", { trying: { change: "u" } }, {}, /Running .* prove itself/],
  ["is there when it proved itself", { proved: "u" }, { step: "Restart" }, /Complete .*vms=true $/],
  [
    "says what the command line keeps",
    { proved: "u", commandLine: ["vms"] },
    {},
    /Complete .*vms=true; the command line wins for vms/,
  ],
  [
    "that did not prove itself is a failure",
    { failed: { change: "u", message: "it hung" } },
    { step: "Restart" },
    /Failed : it hung; the site has vms=true/,
  ],
  [
    "that failed for another operation is tried anew",
    { failed: { change: "v", message: "it hung" } },
    undefined,
    /Running Restart: the site is to start anew/,
  ],
] as const) {
  test(`a change of options ${what}`, async () => {
    const full = { good, commandLine: [], ...(report as Configured) };
    const configuration = { report: () => full, plan: () => ({}), request: () => {} };
    const kerb = { configuration, releases: { report: () => ({ version: "1.0.0" }) } };
    const one = {
      metadata: { uid: "u" },
      spec: { type: "ChangeConfiguration", configuration: [{ option: "vms", value: "true" }] },
      status,
    } as unknown as SiteOperation;
    const progress = await changeConfiguration(one, { kerb } as unknown as OperationSite);
    const { phase, step = "", message, after } = progress;
    assert.match(`${phase} ${step}: ${message} ${after ? "+" : ""}`, outcome);
  });
}

test("a cluster of others refuses what only a Kerb can do", async () => {
  const progress = await updateKerb(operation("a"), {} as OperationSite);
  assert.match(progress.message!, /no Kerb/);
});

test("every image is pulled on every node, and what stands in the way is told as the node says it", () => {
  assert.equal(wantedPods("u", ["a", "b"], ["x", "y"]).length, 4);
  assert.deepEqual(wantedPods("u", ["a"], ["x"]), wantedPods("u", ["a"], ["x"]));
  const waiting = (reason: string) =>
    ({
      status: { containerStatuses: [{ state: { waiting: { reason, message: "no" } } }] },
    }) as never;
  assert.equal(pullProblem(waiting("ErrImagePull")), "ErrImagePull: no");
  assert.equal(pullProblem(waiting("ContainerCreating")), undefined);
});
