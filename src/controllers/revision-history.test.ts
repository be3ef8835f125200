import assert from "node:assert/strict";
import { test } from "node:test";
import { templatePatch } from "./revision-history.ts";

test("a revision is byte for byte what Kubernetes would keep of the template", () => {
  const patch = templatePatch({
    spec: { restartPolicy: "Always", containers: [{ name: "a", image: "x" }] },
    metadata: { labels: { b: "1", a: "2" } },
  });
  assert.equal(
    JSON.stringify(patch),
    '{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"a":"2","b":"1"}},' +
      '"spec":{"containers":[{"image":"x","name":"a","resources":{}}],"restartPolicy":"Always"}}}}',
  );
});
