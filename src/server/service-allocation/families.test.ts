import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpFamily } from "../../lib/ip-range.ts";
import { chooseFamilies } from "./families.ts";

const dual: IpFamily[] = ["IPv4", "IPv6"];
const ipv6First: IpFamily[] = ["IPv6", "IPv4"];
const ipv4: IpFamily[] = ["IPv4"];

const selector = { app: "web" };
const errorsOf = (spec: object, old: object | undefined, configured: IpFamily[]) =>
  chooseFamilies(spec, old, configured).map(({ field, message }) => `${field}: ${message}`);

/** Policy, families and addresses in one line. */
function chosen(spec: Record<string, any>, old: object | undefined, configured: IpFamily[]) {
  const copy = structuredClone({ selector, ...spec }) as Record<string, any>;
  assert.deepEqual(errorsOf(copy, old, configured), []);
  const { ipFamilyPolicy, ipFamilies, clusterIPs = [] } = copy;
  return [ipFamilyPolicy, ...(ipFamilies ?? []), ...clusterIPs].join(" ");
}

const none = { clusterIP: "None" };
const made: [string, object, IpFamily[], string][] = [
  ["that says nothing", {}, ipv4, "SingleStack IPv4"],
  ["that says nothing, of two families", {}, dual, "SingleStack IPv4"],
  ["that says nothing, where IPv6 is first", {}, ipv6First, "SingleStack IPv6"],
  ["of the second family", { ipFamilies: ["IPv6"] }, dual, "SingleStack IPv6"],
  ["that takes what there is", { ipFamilyPolicy: "PreferDualStack" }, ipv4, "PreferDualStack IPv4"],
  [
    "that takes both",
    { ipFamilyPolicy: "PreferDualStack" },
    ipv6First,
    "PreferDualStack IPv6 IPv4",
  ],
  [
    "that needs both, its own order",
    { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6"] },
    dual,
    "RequireDualStack IPv6 IPv4",
  ],
  ["by its address", { clusterIP: "fd00::5" }, dual, "SingleStack IPv6 fd00::5"],
  [
    "by both addresses",
    { ipFamilyPolicy: "RequireDualStack", clusterIPs: ["fd00::5", "10.0.0.5"] },
    dual,
    "RequireDualStack IPv6 IPv4 fd00::5 10.0.0.5",
  ],
  ["headless", none, dual, "SingleStack IPv4 None"],
  ["headless without selector", { ...none, selector: {} }, dual, "RequireDualStack IPv4 IPv6 None"],
  [
    "headless without selector, of one family",
    { ...none, selector: {} },
    ipv4,
    "SingleStack IPv4 None",
  ],
  [
    "headless without selector, of a family that is not there",
    { ...none, selector: {}, ipFamilies: ["IPv6"] },
    ipv4,
    "SingleStack IPv6 None",
  ],
];
for (const [what, spec, configured, expected] of made) {
  test(`a Service ${what}`, () => assert.equal(chosen(spec, undefined, configured), expected));
}

const onlyOne =
  "must be RequireDualStack or PreferDualStack when multiple IP families are specified";
const refused: [string, object, IpFamily[], RegExp][] = [
  [
    "no family",
    { ipFamilies: ["IPv5"] },
    dual,
    /^spec\.ipFamilies\[0\]: Unsupported value: "IPv5"/,
  ],
  ["one family twice", { ipFamilies: ["IPv4", "IPv4"] }, dual, /^spec\.ipFamilies\[1\]: Duplicate/],
  [
    "no policy",
    { ipFamilyPolicy: "Both" },
    dual,
    /^spec\.ipFamilyPolicy: Unsupported value: "Both"/,
  ],
  [
    "a family that is not there",
    { ipFamilies: ["IPv6"] },
    ipv4,
    /^spec\.ipFamilies\[0\]: Invalid value: "IPv6": not configured on this cluster$/,
  ],
  [
    "two families where there is one",
    { ipFamilyPolicy: "RequireDualStack" },
    ipv4,
    /^spec\.ipFamilyPolicy: .*this cluster is not configured for dual-stack services$/,
  ],
  [
    "an address of a family that is not there",
    { clusterIP: "fd00::5" },
    ipv4,
    /^spec\.clusterIPs\[0\]: .*IPv6 is not configured on this cluster$/,
  ],
  [
    "two families and one policy",
    { ipFamilies: dual, ipFamilyPolicy: "SingleStack" },
    dual,
    RegExp(onlyOne),
  ],
  ["two families without a policy", { ipFamilies: dual }, dual, RegExp(onlyOne)],
  [
    "two addresses of one family",
    { ipFamilyPolicy: "RequireDualStack", clusterIPs: ["10.0.0.1", "10.0.0.2"] },
    dual,
    /may specify no more than one IP for each IP family/,
  ],
  [
    "an address of another family than it says",
    { ipFamilies: ["IPv6"], clusterIP: "10.0.0.5" },
    dual,
    /^spec\.clusterIPs\[0\]: .*expected an IPv6 value as indicated by `ipFamilies\[0\]`$/,
  ],
  ["no address", { clusterIP: "fe80::1%eth0" }, dual, /must be a valid IP address/],
  [
    "an address and None",
    { clusterIP: "10.0.0.5", clusterIPs: ["None"] },
    dual,
    /first value must match/,
  ],
  [
    "None and more",
    { clusterIPs: ["None", "10.0.0.5"] },
    dual,
    /'None' must be the first and only value/,
  ],
  ["three addresses", { clusterIPs: ["10.0.0.5", "fd00::5", "10.0.0.6"] }, dual, /up to 2 values/],
  [
    "an alias with families",
    { type: "ExternalName", ipFamilies: ["IPv4"] },
    dual,
    /Forbidden: may not be set for ExternalName/,
  ],
];
for (const [what, spec, configured, expected] of refused) {
  test(`a Service with ${what} is refused`, () => {
    const [error, ...more] = errorsOf({ selector, ...spec }, undefined, configured);
    assert.match(error ?? "", expected);
    assert.deepEqual(more, []);
  });
}

const one = {
  clusterIP: "10.0.0.5",
  clusterIPs: ["10.0.0.5"],
  ipFamilies: ["IPv4"],
  ipFamilyPolicy: "SingleStack",
};
const both = {
  clusterIP: "10.0.0.5",
  clusterIPs: ["10.0.0.5", "fd00::5"],
  ipFamilies: ["IPv4", "IPv6"],
  ipFamilyPolicy: "RequireDualStack",
};
const changed: [string, object, object, string][] = [
  [
    "a client that knows nothing of families",
    both,
    {},
    "RequireDualStack IPv4 IPv6 10.0.0.5 fd00::5",
  ],
  [
    "who asks for a second",
    one,
    { ...one, ipFamilyPolicy: "PreferDualStack" },
    "PreferDualStack IPv4 IPv6 10.0.0.5",
  ],
  ["who chooses the second", one, { ...both }, "RequireDualStack IPv4 IPv6 10.0.0.5 fd00::5"],
  [
    "who lets the second go",
    both,
    { ...both, ipFamilyPolicy: "SingleStack" },
    "SingleStack IPv4 10.0.0.5",
  ],
];
for (const [what, old, spec, expected] of changed) {
  test(`by ${what}, a Service becomes what it says`, () => {
    assert.equal(chosen(spec, { selector, ...old }, dual), expected);
  });
}

test("a Service that takes what there is stays as it is when the cluster changes", () => {
  const old = { ...one, ipFamilyPolicy: "PreferDualStack" };
  assert.equal(chosen(old, old, dual), "PreferDualStack IPv4 10.0.0.5");
});

test("the first address and family never change, and the second goes only when one is asked for", () => {
  for (const [old, spec, expected] of [
    [one, { ...one, clusterIP: "10.0.0.6" }, /^spec\.clusterIPs\[0\]: .*may not change once set/],
    [both, { ...both, clusterIPs: ["10.0.0.5", "fd00::6"] }, /^spec\.clusterIPs\[1\]: .*may not/],
    [
      both,
      { ...both, clusterIPs: ["10.0.0.5"] },
      /^spec\.ipFamilyPolicy: .*releasing the secondary clusterIP/,
    ],
    [none, { ...none, ipFamilies: ["IPv5"] }, /Unsupported value/],
  ] as const) {
    const [error] = errorsOf({ selector, ...spec }, { selector, ...old }, dual);
    assert.match(error ?? "", expected);
  }
});

test("a Service that becomes an alias leaves what it had", () => {
  const spec: Record<string, any> = { ...both, type: "ExternalName", externalName: "example.org" };
  assert.deepEqual(errorsOf(spec, both, dual), []);
  assert.deepEqual(Object.keys(spec), ["type", "externalName"]);
});
