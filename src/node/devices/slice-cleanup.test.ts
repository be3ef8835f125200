import assert from "node:assert/strict";
import { test } from "node:test";
import { startCluster } from "../../../test/support/cluster.ts";
import { resource } from "../../client/client.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { SliceCleanup } from "./slice-cleanup.ts";

const resourceSlices = resource("resource.k8s.io/v1", "resourceslices");
const driver = (name: string) => ({
  type: "DRAPlugin",
  name,
  endpoint: "",
  supported_versions: [],
});

test("the slices of a driver that is gone go, those of others and of other nodes stay", async (t) => {
  const clock = new FakeClock();
  const { client, scope, until } = startCluster();
  t.after(() => scope.close());
  const publish = (of: string, nodeName: string) =>
    client.create(resourceSlices, {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceSlice",
      metadata: { name: `${nodeName}-${of}` },
      spec: {
        driver: `${of}.example.com`,
        nodeName,
        pool: { name: nodeName, generation: 1, resourceSliceCount: 1 },
      },
    });
  for (const which of ["stays", "goes", "never"]) await publish(which, "edge");
  await publish("goes", "other");
  const names = (all: { metadata: { name: string } }[]) => all.map(({ metadata }) => metadata.name);
  const cleanup = new SliceCleanup({ client, nodeName: "edge", clock, log: silent });
  t.after(() => cleanup.stop());
  const { added, removed } = cleanup.behind({ added: () => {}, removed: () => {} });
  cleanup.start();
  for (const which of ["stays", "goes"]) added(driver(`${which}.example.com`), "");
  await clock.advance(30_000);
  await until(resourceSlices, (all) => !names(all).includes("edge-never"));
  for (const which of ["stays", "goes"]) removed(driver(`${which}.example.com`));
  await clock.advance(20_000);
  added(driver("stays.example.com"), "");
  await clock.advance(20_000);
  await until(resourceSlices, (all) => !names(all).includes("edge-goes"));
  const { items } = await client.list(resourceSlices);
  assert.deepEqual(names(items).sort(), ["edge-stays", "other-goes"]);
});
