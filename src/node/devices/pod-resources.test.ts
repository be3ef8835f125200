import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { GrpcConnection } from "../../lib/grpc.ts";
import { Scope } from "../../lib/scope.ts";
import type { Pod } from "../pods/pod.ts";
import type { PreparedClaims } from "./claims.ts";
import { DeviceLedger } from "./ledger.ts";
import { servePodResources } from "./pod-resources.ts";
import { lister } from "./protocols.ts";

const directory = mkdtempSync(join(tmpdir(), "pod-resources-"));
after(() => rmSync(directory, { recursive: true, force: true }));

test("who has which processors alone, and devices of claims, is told to those who ask", async () => {
  const scope = new Scope();
  const pod = {
    metadata: { name: "train", namespace: "shop", uid: "u" },
    spec: { containers: [{ name: "main", image: "app" }] },
  } as unknown as Pod;
  const device = {
    driver: "gpu.example.com",
    request_names: ["gpu"],
    pool_name: "a",
    device_name: "gpu-0",
    cdi_device_ids: ["example.com/gpu=0"],
    share_id: "481896d2-9ddf-30d2-4940-7896d3722122",
  };
  const claim = { namespace: "shop", name: "mine", uid: "c" };
  await servePodResources({
    socketDirectory: directory,
    ledger: new DeviceLedger(),
    claims: { of: () => [{ claim, devices: [device] }] } as unknown as PreparedClaims,
    cpus: { own: () => [1, 5], lendable: () => [1, 2, 5] },
    pods: () => [pod],
    scope,
  });
  const connection = new GrpcConnection(`unix://${join(directory, "kubelet.sock")}`);
  const service = connection.service(lister.path, lister.types, {
    Get: ["GetPodResourcesRequest", "GetPodResourcesResponse"],
    GetAllocatableResources: ["AllocatableResourcesRequest", "AllocatableResourcesResponse"],
  });
  const { pod_resources: told } = await service.call("Get", {
    pod_name: "train",
    pod_namespace: "shop",
  });
  const [main] = told.containers;
  assert.deepEqual(main.cpu_ids, [1, 5]);
  const [{ claim_name: name, claim_resources: resources }] = main.dynamic_resources;
  assert.deepEqual([name, resources[0].device_name], ["mine", "gpu-0"]);
  assert.equal(resources[0].share_id, device.share_id);
  assert.deepEqual(resources[0].cdi_devices, [{ name: "example.com/gpu=0" }]);
  const { cpu_ids: all } = await service.call("GetAllocatableResources", {});
  assert.deepEqual(all, [1, 2, 5]);
  connection.close();
  await scope.close();
});
