import assert from "node:assert/strict";
import { test } from "node:test";
import { argumentsOf, changeOptions, optionsText } from "./configurable-options.ts";

const before = { "eviction-hard": ["memory.available<1Gi"], vms: ["true"] };
const mirror = (value: string) => ({ option: "registry-mirror", value });

for (const [what, settings, after] of [
  ["what is not named stays", [], before],
  [
    "what is named is replaced",
    [{ option: "eviction-hard", value: "memory.available<2Gi" }],
    { "eviction-hard": ["memory.available<2Gi"], vms: ["true"] },
  ],
  ["without a value it is as by itself", [{ option: "eviction-hard" }], { vms: ["true"] }],
  ["an empty value is none", [{ option: "vms", value: "" }, { option: "eviction-hard" }], {}],
  [
    "an option that repeats has all the values that it is given",
    [mirror("a=http://x"), mirror("b=http://y")],
    { ...before, "registry-mirror": ["a=http://x", "b=http://y"] },
  ],
] as const) {
  test(what, () => assert.deepEqual(changeOptions(before, [...settings]), after));
}

for (const [what, settings, why] of [
  ["one that moves the site", [{ option: "data-dir", value: "/x" }], /option data-dir cannot/],
  ["one that is none", [{ option: "colour", value: "red" }], /option colour cannot/],
  ["a wing that is half on", [{ option: "vms", value: "maybe" }], /option vms is true or false/],
  [
    "two values of one that has one",
    ["80", "90"].map((value) => ({ option: "image-gc-high-threshold", value })),
    /option image-gc-high-threshold has one value/,
  ],
] as const) {
  test(`${what} is refused by name`, () =>
    assert.throws(() => changeOptions(before, [...settings]), why));
}

test("options read as on a command line, and a wing that is off is not there", () => {
  const options = { "registry-mirror": ["a=http://x", "b=http://y"], devices: ["false"] };
  const args = ["--registry-mirror=a=http://x", "--registry-mirror=b=http://y"];
  assert.deepEqual(argumentsOf(options), args);
  assert.deepEqual(argumentsOf({ vms: ["true"] }), ["--vms"]);
  assert.equal(optionsText(before), "eviction-hard=memory.available<1Gi, vms=true");
});
