import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../../kinds/kinds.ts";
import type { AdmissionRequest } from "../policy.ts";
import { claimResize } from "./claim-resize.ts";
import type { ObjectReader } from "./object-reader.ts";

const claim = (storage: string, phase = "Bound") => ({
  metadata: { name: "data" },
  spec: { storageClassName: "fast", resources: { requests: { storage } } },
  status: { phase },
});

async function judge(now: string, { phase = "Bound", allowVolumeExpansion = true } = {}) {
  const reader = { get: async () => ({ allowVolumeExpansion }) } as unknown as ObjectReader;
  await claimResize(reader).validate!({
    kind: builtinKinds().get("", "v1", "persistentvolumeclaims")!,
    operation: "UPDATE",
    object: claim(now, phase),
    old: claim("1Gi", phase),
    name: "data",
    subresource: "",
  } as unknown as AdmissionRequest);
}

test("a claim grows where its class lets it, once it is bound", async () => {
  await judge("2Gi");
  await judge("1Gi", { allowVolumeExpansion: false });
  await assert.rejects(judge("2Gi", { allowVolumeExpansion: false }), /must support resize/);
  await assert.rejects(judge("2Gi", { phase: "Pending" }), /Only bound/);
});
