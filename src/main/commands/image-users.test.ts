import assert from "node:assert/strict";
import { test } from "node:test";
import type { RuntimePod } from "../../node/runtime.ts";
import { usersIn } from "./image-users.ts";

const pod = (name: string, ready: boolean, ...imageIds: string[]) =>
  ({
    sandboxes: [{ id: `s-${name}`, namespace: "shop", name, ready }],
    containers: imageIds.map((imageId) => ({ sandboxId: `s-${name}`, imageId, state: "exited" })),
  }) as unknown as RuntimePod;

test("an image is used by pods that run it or may start it again, and by none that have ended", () => {
  const pods = [pod("b", true, "1", "2"), pod("a", true, "1"), pod("ended", false, "1")];
  assert.deepEqual(usersIn(pods, "1"), ["shop/a", "shop/b"]);
  assert.deepEqual(usersIn(pods, "3"), []);
});
