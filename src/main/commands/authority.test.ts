import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthorityReport } from "../../cli/authority.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { reportOf, rotateAuthority } from "./authority.ts";

const phases = ["TrustBoth", "IssueNew", "Settled"] as const;
type Phase = (typeof phases)[number];

function site(phase: Phase) {
  const state = { phase, late: [] as string[], advances: 0 };
  const report = (): AuthorityReport => ({
    phase: state.phase,
    authorities: [],
    waitsFor: state.late.map((name) => ({ name })),
  });
  const authority = {
    state: async () => report(),
    advance: async () => {
      assert.deepEqual(state.late, [], "nobody is locked out");
      state.advances += 1;
      state.phase = phases[(phases.indexOf(state.phase) + 1) % 3]!;
      return report();
    },
  };
  return { state, authority };
}

async function rotated(from: Phase, late: Partial<Record<number, string[]>> = {}) {
  const clock = new FakeClock();
  const { state, authority } = site(from);
  const said: string[] = [];
  const done = (async () => {
    for await (const { phase, waitsFor } of rotateAuthority("", 60, { clock, authority }))
      said.push([phase, ...waitsFor.map(({ name }) => name)].join(" "));
  })();
  for (let seconds = 0; seconds < 300; seconds += 5) {
    state.late = late[seconds] ?? state.late;
    await clock.advance(5000);
  }
  await done;
  return said;
}

test("what a site of an older release says, which waits for nobody, is understood", () => {
  const said = { phase: "Settled", authorities: ["sha256:1"] };
  assert.deepEqual(reportOf(said), { ...said, waitsFor: [] });
  const waitsFor = [{ name: "b" }];
  assert.deepEqual(reportOf({ ...said, waitsFor }), { ...said, waitsFor });
});

test("a replacement has three phases", async () => {
  assert.deepEqual(await rotated("Settled"), ["TrustBoth", "IssueNew", "Settled"]);
});

test("a replacement that was interrupted goes on from its phase", async () => {
  assert.deepEqual(await rotated("IssueNew"), ["Settled"]);
});

test("machines that are away are waited for, and named when they are others", async () => {
  const late = { 10: ["b", "c"], 100: ["b"], 120: [] };
  assert.deepEqual(await rotated("Settled", late), [
    ...["TrustBoth", "TrustBoth b c", "TrustBoth b"],
    ...["IssueNew", "Settled"],
  ]);
});
