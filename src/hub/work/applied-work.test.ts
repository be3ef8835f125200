import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { formerOf, keeperLabels, otherKeeper } from "./applied-work.ts";

const record = (uid: string, manifestWorkName: string, labels: object = keeperLabels) =>
  ({ metadata: { name: uid, uid, labels }, spec: { manifestWorkName } }) as unknown as KubeObject;
const owned = (...uids: string[]) =>
  ({ metadata: { ownerReferences: uids.map((uid) => ({ uid })) } }) as unknown as KubeObject;

test("a work takes over what one of the same name made for a hub before, and nothing else", () => {
  const own = record("now", "web");
  const all = [own, record("before", "web"), record("other", "api"), record("theirs", "web", {})];
  const former = formerOf(all, own).map(({ metadata }) => metadata.uid);
  assert.deepEqual(former, ["before"]);
});

test("an object is kept by another agent when one of its records owns it", () => {
  const all = [record("ours", "web"), record("theirs", "web", {})];
  assert.equal(otherKeeper(owned("ours"), all), undefined);
  assert.equal(otherKeeper(owned(), all), undefined);
  assert.equal(otherKeeper(owned("ours", "theirs"), all)!.metadata.uid, "theirs");
});
