import assert from "node:assert/strict";
import { test } from "node:test";
import type { Draft } from "../kinds/object.ts";
import { forAnyClock } from "../lib/any-clock.ts";
import { timestamp } from "../lib/clock.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { startControlled } from "../../test/support/controllers.ts";
import { csrCleaner, leftMs } from "./csr-cleaner.ts";
import { csrSigning } from "./csr-signing.ts";
import { requests } from "./csr.ts";

const signer = "kubernetes.io/kube-apiserver-client";
const requestOf = (content: string) =>
  Buffer.from(`-----BEGIN CERTIFICATE REQUEST-----\n${content}`).toString("base64");
const certificateOf = (content: string) => `-----BEGIN CERTIFICATE-----\n${content}`;
const signing = {
  isOwn: (name: string) => name === signer,
  nodeOf: () => undefined,
  sign: ({ request }: { request: string }, { anyClock }: { anyClock: boolean }) => {
    if (request === requestOf("bad")) throw new Error("this one is bad");
    return certificateOf(anyClock ? "for any clock" : "");
  },
};
const hourMs = 3_600_000;

test("what was approved is signed, what cannot be signed says why, and both go when they have served", async (t) => {
  const clock = new FakeClock();
  const { client, scope, informer } = await startControlled([csrSigning(signing), csrCleaner], {
    clock,
  });
  t.after(() => scope.close());
  const create = (name: string, more: object, how = {}): Promise<unknown> => {
    const spec = { signerName: signer, request: requestOf("ok"), usages: ["client auth"], ...more };
    const apiVersion = "certificates.k8s.io/v1";
    const draft = {
      apiVersion,
      kind: "CertificateSigningRequest",
      metadata: { name, ...how },
      spec,
    };
    return client.create(requests, draft as Draft);
  };
  const approve = (name: string) => {
    const time = timestamp(clock.now());
    const approved = { type: "Approved", status: "True", reason: "x", lastUpdateTime: time };
    const target = { ...requests, name, subresource: "approval" };
    return client.patch(target, "merge", { status: { conditions: [approved] } });
  };
  await create("good", {});
  await create("bad", { request: requestOf("bad") });
  await create("foreign", { signerName: "example.com/own" });
  await create("own", {}, forAnyClock);
  await create("waiting", {});
  for (const name of ["good", "own", "bad", "foreign"]) await approve(name);
  await clock.advance(1000);
  const status = (name: string) => informer(requests).get(name)?.status ?? {};
  const given = (name: string) => Buffer.from(status(name).certificate, "base64").toString();
  assert.equal(given("good"), certificateOf(""));
  assert.equal(given("own"), certificateOf("for any clock"));
  const failed = status("bad").conditions.find(({ type }: any) => type === "Failed");
  assert.deepEqual([failed.reason, failed.message], ["SignerValidationFailure", "this one is bad"]);
  assert.equal(status("foreign").certificate, undefined);
  const left = () =>
    informer(requests)
      .list()
      .map(({ metadata }) => metadata.name)
      .sort();
  await clock.advance(2 * hourMs);
  assert.deepEqual(left(), ["foreign", "waiting"]);
  await clock.advance(24 * hourMs);
  assert.deepEqual(left(), []);
});

test("a request from the future stays a day at most", () => {
  const request: any = { metadata: { creationTimestamp: "2100-01-01T00:00:00Z" }, spec: {} };
  assert.equal(leftMs(request, 0), 24 * hourMs);
});
