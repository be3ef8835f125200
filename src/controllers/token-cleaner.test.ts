import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { tokenCleaner } from "./token-cleaner.ts";

const secrets = { ...resource("v1", "secrets"), namespace: "kube-system" };

test("a bootstrap token goes when its time is over, other Secrets stay", async (t) => {
  const clock = new FakeClock();
  const { client, scope } = await startControlled([tokenCleaner], { clock });
  t.after(() => scope.close());
  const expiration = Buffer.from(new Date(clock.now() + 60_000).toISOString()).toString("base64");
  const create = (name: string, type: string, data: object) =>
    client.create(secrets, { apiVersion: "v1", kind: "Secret", metadata: { name }, type, data });
  await create("bootstrap-token-aaaaaa", "bootstrap.kubernetes.io/token", { expiration });
  await create("bootstrap-token-bbbbbb", "bootstrap.kubernetes.io/token", {});
  await create("other", "Opaque", { expiration });
  const left = async () => (await client.list(secrets)).items.map(({ metadata }) => metadata.name);
  await clock.advance(59_000);
  assert.equal((await left()).length, 3);
  await clock.advance(2000);
  assert.deepEqual(await left(), ["bootstrap-token-bbbbbb", "other"]);
});
