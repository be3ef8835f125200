// What a pod says of Windows: none of Kerb's nodes run it, but their objects are kept for nodes that do.
import { forbiddenValue, invalidValue } from "../field-checks.ts";
import { dnsSubdomain } from "../name-rules.ts";
import { fields, first, holds, named, none } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

type Any = Record<string, any>;

const specKibMax = 64;
const domainCharsMax = 256;
const userCharsMax = 104;
const netBios = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const domainName =
  /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
const odd = /["/\\:;|=,+*?<>@[\]]/;

const hasControl = (text: string) => [...text].some((one) => one < " " || one === "\u007f");

function userErrors(name: string, at: string): Errors {
  const parts = name.split("\\");
  const user = parts.at(-1)!;
  const domain = parts.length > 1 ? parts[0]! : undefined;
  const wrong: [boolean, string][] = [
    [
      (domain?.length ?? 0) >= domainCharsMax,
      `Domain length must be under ${domainCharsMax} characters`,
    ],
    [
      domain !== undefined && !netBios.test(domain) && !domainName.test(domain),
      "Domain doesn't match the NetBios nor the DNS format",
    ],
    [user === "", "User cannot be empty"],
    [user.length > userCharsMax, `User length must not be longer than ${userCharsMax} characters`],
    [/^[. ]+$/.test(user), "User cannot contain only periods or spaces"],
    [odd.test(user), 'User cannot contain the following characters: "/\\:;|=,+*?<>@[]'],
  ];
  return wrong
    .filter(([is]) => is)
    .map(([, why]) => invalidValue(at, name, `runAsUserName's ${why}`));
}

export const windowsOptions = fields({
  gmsaCredentialSpecName: named(dnsSubdomain),
  gmsaCredentialSpec: first(
    holds((text) => text !== "", "gmsaCredentialSpec cannot be an empty string"),
    holds(
      (text) => text.length <= specKibMax * 1024,
      `gmsaCredentialSpec size must be under ${specKibMax} KiB`,
    ),
  ),
  runAsUserName: first(
    holds((text) => text !== "", "runAsUserName cannot be an empty string"),
    holds((text) => !hasControl(text), "runAsUserName cannot contain control characters"),
    holds(
      (text) => text.split("\\").length < 3,
      "runAsUserName cannot contain more than one backslash",
    ),
    userErrors,
  ),
});

const containersOf = (spec: Any, at: string): [Any, string][] =>
  ["initContainers", "containers", "ephemeralContainers"].flatMap((list) =>
    (spec[list] ?? []).map((one: Any, i: number): [Any, string] => [one, `${at}.${list}[${i}]`]),
  );

/** Containers that are processes of their node: all of a pod's, or none. */
export function hostProcessErrors(spec: Any, at: string): Errors {
  const all = containersOf(spec, at);
  const ofPod = spec["securityContext"]?.windowsOptions?.hostProcess;
  const own = all.map(([{ securityContext }]) => securityContext?.windowsOptions?.hostProcess);
  if (ofPod === undefined && own.every((one) => one === undefined)) return none;
  const count = own.filter((one) => one ?? ofPod).length;
  const same = `pod hostProcess value must be identical if both are specified, was ${ofPod}`;
  const errors = own.flatMap((one, i) =>
    ofPod !== undefined && one !== undefined && one !== ofPod
      ? [invalidValue(`${all[i]![1]}.securityContext.windowsOptions.hostProcess`, one, same)]
      : [],
  );
  if (count === 0) return errors;
  if (count !== all.length) {
    const why =
      "If pod contains any hostProcess containers then all containers must be HostProcess containers";
    errors.push(invalidValue(at, "", why));
  }
  if (!spec["hostNetwork"]) {
    const why = "hostNetwork must be true if pod contains any hostProcess containers";
    errors.push(invalidValue(`${at}.hostNetwork`, false, why));
  }
  return errors;
}

const ofBoth = ["appArmorProfile", "seLinuxOptions", "seccompProfile", "runAsUser", "runAsGroup"];
const ofPods = [
  ...ofBoth,
  "fsGroup",
  "fsGroupChangePolicy",
  "supplementalGroups",
  "supplementalGroupsPolicy",
  "seLinuxChangePolicy",
];
const ofContainers = [
  ...ofBoth,
  "capabilities",
  "readOnlyRootFilesystem",
  "privileged",
  "allowPrivilegeEscalation",
  "procMount",
];

const forbid = (object: Any | undefined, names: string[], at: string, why: string): Errors =>
  names
    .filter((name) => object?.[name] !== undefined)
    .map((name) => forbiddenValue(`${at}.${name}`, why));

const notWindows = "cannot be set for a windows pod";

function windowsErrors(spec: Any, at: string): Errors {
  const isSet = (name: string) => spec[name] === true || (name !== "hostPID" && name !== "hostIPC");
  const names = ["hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"].filter(isSet);
  const context = spec["securityContext"];
  return [
    ...forbid(spec, names, at, notWindows),
    ...forbid(context, ofPods, `${at}.securityContext`, notWindows),
    ...forbid(
      context?.sysctls?.length ? context : undefined,
      ["sysctls"],
      `${at}.securityContext`,
      notWindows,
    ),
    ...containersOf(spec, at).flatMap(([{ securityContext }, field]) =>
      forbid(securityContext, ofContainers, `${field}.securityContext`, notWindows),
    ),
  ];
}

const linuxErrors: Rule = (spec, at) =>
  [[spec, at] as [Any, string], ...containersOf(spec, at)].flatMap(([{ securityContext }, field]) =>
    forbid(
      securityContext,
      ["windowsOptions"],
      `${field}.securityContext`,
      "windows options cannot be set for a linux pod",
    ),
  );

/** What a pod may not say because of the system that it is for. */
export function systemErrors(spec: Any, at: string): Errors {
  const name = spec["os"]?.name;
  if (name === "windows") return windowsErrors(spec, at);
  return name === "linux" ? linuxErrors(spec, at) : none;
}
