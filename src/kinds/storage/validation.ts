// What the schema cannot say of classes of volumes, and of what their drivers tell of themselves.
import { notNegativeAmount } from "../core/resource-validation.ts";
import { driverName } from "../core/volume-sources.ts";
import { duplicate, forbiddenValue, invalidValue, required } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsSubdomain, qualifiedName } from "../name-rules.ts";
import {
  all,
  always,
  atLeast,
  each,
  fields,
  given,
  holds,
  named,
  needed,
  none,
  oneOf,
  orEmpty,
  tooLong,
  unique,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { selectorErrors } from "../selector-validation.ts";
import { tokenSeconds } from "../core/projected-validation.ts";

/** The rule judges whole objects of the kind, subresources aside. */
const judged =
  (rule: Rule) =>
  ({ object, subresource }: Change): Errors =>
    subresource === "" ? rule(object, "") : none;

const provisioner = needed((name: string, at) =>
  qualifiedName(name.toLowerCase()).map((why) => invalidValue(at, name.toLowerCase(), why)),
);

const parametersMax = 512;
const parameterCharsMax = 256 * 1024;
const parameters: Rule = (map: Record<string, string>, at) => {
  const chars = Object.entries(map).reduce(
    (sum, [key, value]) => sum + key.length + value.length,
    0,
  );
  return [
    ...(Object.keys(map).length > parametersMax ? [tooLong(at, parametersMax)] : none),
    ...("" in map ? [invalidValue(at, "", "field can not be empty.")] : none),
    ...(chars > parameterCharsMax ? [tooLong(at, parameterCharsMax)] : none),
  ];
};

const topologyTerm = fields({
  matchLabelExpressions: all(
    unique(({ key }) => key, ".key"),
    each(
      fields({
        key: orEmpty(named(qualifiedName)),
        values: needed(unique()),
      }),
    ),
  ),
});

const topologies: Rule = (terms: unknown[], at) => {
  const texts = terms.map((term) => JSON.stringify(term));
  return [
    ...each(topologyTerm)(terms, at),
    ...texts.flatMap((text, i) =>
      texts.indexOf(text) < i || !/"matchLabelExpressions":\[\{/.test(text)
        ? [duplicate(`${at}[${i}].matchLabelExpressions`, "")]
        : none,
    ),
  ];
};

export const storageClassErrors = judged(
  fields({
    provisioner,
    parameters,
    reclaimPolicy: given(oneOf("Delete", "Retain")),
    volumeBindingMode: oneOf("Immediate", "WaitForFirstConsumer"),
    allowedTopologies: topologies,
  }),
);

const pairWhy = "must contain at least one key/value pair";
const attributes = always((map, at) =>
  Object.keys(map).length === 0 ? [required(at, pairWhy)] : parameters(map, at),
);
export const volumeAttributesClassErrors = judged(
  fields({ driverName: provisioner, parameters: attributes }),
);

const nodeIdCharsMax = 256;

/** Keys are told at the driver, as upstream does. */
const topologyKeys: Rule = (keys: string[], at) => {
  const field = at.slice(0, -".topologyKeys".length);
  return keys.flatMap((key, i) => [
    ...(key === "" ? [required(field)] : none),
    ...(keys.indexOf(key) < i ? [duplicate(field, key)] : none),
    ...named(qualifiedName)(key, field),
  ]);
};

const driver = fields({
  name: driverName,
  nodeID: needed(
    holds(
      (id: string) => id.length <= nodeIdCharsMax,
      `must be ${nodeIdCharsMax} characters or less`,
    ),
  ),
  allocatable: fields({ count: atLeast(0) }),
  topologyKeys,
});

export const csiNodeErrors = judged(
  fields({
    spec: fields({
      drivers: all(
        each(driver),
        unique(({ name }) => name, ".name"),
      ),
    }),
  }),
);

const periodSecondsMin = 10;
const modes = oneOf("Persistent", "Ephemeral");

export const csiDriverErrors = judged(
  fields({
    spec: fields({
      fsGroupPolicy: oneOf("File", "None", "ReadWriteOnceWithFSType"),
      tokenRequests: all(
        unique(({ audience = "" }) => audience, ".audience"),
        each(fields({ expirationSeconds: tokenSeconds })),
      ),
      // All are told at the list.
      volumeLifecycleModes: (list: string[], at) => list.flatMap((mode) => modes(mode, at)),
      nodeAllocatableUpdatePeriodSeconds: holds(
        (seconds) => seconds >= periodSecondsMin,
        `must be greater than or equal to ${periodSecondsMin} seconds`,
      ),
    }),
  }),
);

export const storageCapacityErrors = judged(
  fields({
    nodeTopology: selectorErrors,
    storageClassName: orEmpty(named(dnsSubdomain)),
    capacity: notNegativeAmount,
  }),
);

const sourceWhy = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
const attachmentSource = always(({ persistentVolumeName: name, inlineVolumeSpec: inline }, at) => {
  if ((name === undefined) === (inline === undefined)) {
    return [name === undefined ? required(at, sourceWhy) : forbiddenValue(at, sourceWhy)];
  }
  if (name === undefined) return none;
  const field = `${at}.persistentVolumeName`;
  const empty =
    name === "" ? [required(field, "must specify non empty persistentVolumeName")] : none;
  return [...empty, ...named(dnsSubdomain)(name, field)];
});

export const volumeAttachmentErrors = judged(
  fields({
    spec: fields({
      attacher: driverName,
      source: attachmentSource,
      nodeName: orEmpty(named(dnsSubdomain)),
    }),
  }),
);
