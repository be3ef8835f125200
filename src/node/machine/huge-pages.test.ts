import assert from "node:assert/strict";
import { test } from "node:test";
import { hugePageAmounts, hugePageLimits, pageSizeOf, sizeName } from "./huge-pages.ts";
import type { Pod } from "../pods/pod.ts";

const pod = (limits: Record<string, string>) =>
  ({
    spec: { containers: [{ name: "web", image: "web:1", resources: { limits } }] },
  }) as unknown as Pod;

test("huge pages are amounts of the node by their size", () => {
  assert.equal(sizeName(2048), "2Mi");
  const pages = [
    { size: "2Mi", bytes: 16 * 2 ** 20 },
    { size: "1Gi", bytes: 0 },
  ];
  assert.deepEqual(hugePageAmounts(pages), { "hugepages-1Gi": "0", "hugepages-2Mi": "16Mi" });
});

test("a container's limit names the size as the kernel does", () => {
  const limits = { cpu: "1", "hugepages-2Mi": "4Mi" };
  assert.deepEqual(hugePageLimits(limits), [{ pageSize: "2MB", limit: 4 * 2 ** 20 }]);
});

test("an emptyDir of huge pages has the size it names, or the only one that its pod asks for", () => {
  assert.equal(pageSizeOf("Memory", pod({})), undefined);
  assert.equal(pageSizeOf("HugePages-1Gi", pod({})), "1Gi");
  assert.equal(pageSizeOf("HugePages", pod({ "hugepages-2Mi": "4Mi" })), "2Mi");
  const two = pod({ "hugepages-2Mi": "4Mi", "hugepages-1Gi": "1Gi" });
  assert.throws(() => pageSizeOf("HugePages", two), /asks for 2 sizes/);
});
