// What Kubernetes' own API server (1.36) said of some 23,000 objects, field by field, beside what is said here. `data`
// holds the objects that were changed, and for each change which fields were refused and how, asked of that server.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startServer } from "../../src/main/test-server.ts";
import type { TestServer } from "../../src/main/test-server.ts";
import { mutations } from "./mutations.ts";
import { verdictOf } from "./verdict.ts";

const read = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, "data", name), "utf8"));
const objects: object[] = read("objects.json");
const { told, verdicts }: { told: string[]; verdicts: number[] } = read("verdicts.json");

/** Accepted here and refused there, by kind: what that server's flags forbid, a lone `clusterIPs`. */
const tooLenient: Record<string, number> = { Pod: 1, Service: 2 };
/** Refused on both sides, for other fields. */
const otherFieldsMax = 161;

let server: TestServer;
before(async () => {
  server = await startServer({ listen: false });
});
after(() => server.close());

test("each field of each built-in kind is judged as a real API server judges it", async () => {
  const client = server.client();
  const lenient: Record<string, number> = {};
  const strict: string[] = [];
  let others = 0;
  let i = 0;
  for (const draft of mutations(objects)) {
    const there = told[verdicts[i]!]!;
    i += 1;
    // That server failed itself.
    if (there === "500") continue;
    const here = await verdictOf(client, draft);
    if (there === "" && here !== "") strict.push(`${draft.kind}: ${here}`);
    else if (here === "" && there !== "") lenient[draft.kind] = (lenient[draft.kind] ?? 0) + 1;
    else if (here !== there) others += 1;
  }
  assert.equal(i, verdicts.length);
  assert.deepEqual(strict, [], "taken there and refused here");
  assert.deepEqual(lenient, tooLenient);
  assert.ok(others <= otherFieldsMax, `${others} are refused for other fields`);
});
