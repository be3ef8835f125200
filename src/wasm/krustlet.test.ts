import assert from "node:assert/strict";
import { test } from "node:test";
import { asKrustlet } from "./krustlet.ts";

const tolerations = ["NoExecute", "NoSchedule"].map((effect) => ({
  key: "kubernetes.io/arch",
  operator: "Equal",
  value: "wasm32-wasi",
  effect,
}));
const pod = (spec: object) => ({ metadata: { annotations: {} }, spec: { ...spec } });

test("a pod for Krustlet runs as a module, with all of its arguments, and to its end once", () => {
  const { metadata, spec } = asKrustlet(pod({ tolerations, restartPolicy: "Always" })) as any;
  assert.equal(spec.runtimeClassName, "wasm");
  assert.equal(spec.restartPolicy, "OnFailure");
  assert.equal(metadata.annotations["kerb.dev/bare-arguments"], "true");
  const never = asKrustlet(pod({ tolerations, restartPolicy: "Never" })) as any;
  assert.equal(never.spec.restartPolicy, "Never");
});

test("a pod that names a class, or tolerates other things, is left as it is", () => {
  for (const spec of [
    { tolerations, runtimeClassName: "own" },
    { tolerations: [{ operator: "Exists" }] },
    {},
  ]) {
    const own = pod(spec);
    assert.equal(asKrustlet(own), own);
  }
});
