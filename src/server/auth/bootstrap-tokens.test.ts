import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { bootstrapTokens } from "./bootstrap-tokens.ts";

const clock = new FakeClock();
const token = "abcdef.0123456789abcdef";

/** Who `shown` stands for when the Secret holds `data`. */
function ask(data: Record<string, string>, shown = token, type = "bootstrap.kubernetes.io/token") {
  const all = { "token-id": "abcdef", "token-secret": "0123456789abcdef", ...data };
  const encoded = Object.entries(all).map(([k, v]) => [k, Buffer.from(v).toString("base64")]);
  const secret = { metadata: { name: "x" }, type, data: Object.fromEntries(encoded) };
  const read = async (key: string) =>
    key === "secrets/kube-system/bootstrap-token-abcdef" ? (secret as never) : undefined;
  return bootstrapTokens(read, clock)(shown);
}
const forThis = { "usage-bootstrap-authentication": "true" };

test("a bootstrap token names its bearer and the groups it says", async () => {
  const groups = "system:bootstrappers:farm,system:masters";
  assert.deepEqual(await ask({ ...forThis, "auth-extra-groups": groups }), {
    name: "system:bootstrap:abcdef",
    groups: ["system:bootstrappers", "system:bootstrappers:farm", "system:authenticated"],
  });
});

test("a token that is wrong, over, or for something else names nobody", async () => {
  const before = new Date(clock.now() - 1000).toISOString();
  const after = new Date(clock.now() + 60_000).toISOString();
  assert.ok(await ask({ ...forThis, expiration: after }));
  const answers = await Promise.all([
    ask({ ...forThis, expiration: before }),
    ask({ ...forThis, expiration: "soon" }),
    ask({}),
    ask(forThis, "abcdef.0123456789abcdeg"),
    ask(forThis, "abcdeg.0123456789abcdef"),
    ask(forThis, "abcdef.0123"),
    ask(forThis, token, "Opaque"),
    ask({ ...forThis, "token-id": "zzzzzz" }),
  ]);
  assert.deepEqual(
    answers,
    answers.map(() => undefined),
  );
});
