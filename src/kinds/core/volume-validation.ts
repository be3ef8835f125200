// What a pod's volumes are made of: one source each, and paths that stay where they belong.
import { duplicate, forbiddenValue, invalidValue, required } from "../field-checks.ts";
import { dnsLabel, dnsSubdomain } from "../name-rules.ts";
import { descendingPath, fileMode } from "../path-rules.ts";
import { each, fields, given, named, needed, none, oneOf, oneSource } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { claimTemplate } from "./claim-validation.ts";
import { downwardFiles } from "./downward-api-validation.ts";
import { keyToPath, projected } from "./projected-validation.ts";
import { amount } from "./resource-validation.ts";
import {
  commonSources,
  driverName,
  iscsi,
  isLongPortal,
  longPortalWhy,
  manyWhy,
  texts,
} from "./volume-sources.ts";

type Any = Record<string, any>;

const sizeLimit: Rule = (limit, at) =>
  (amount(limit) ?? 0) < 0
    ? [forbiddenValue(at, "SizeLimit field must be a valid resource quantity")]
    : none;

const files = { defaultMode: fileMode, items: each(keyToPath) };
const pullPolicies = ["Always", "IfNotPresent", "Never"];

/** Told one level higher than it stands, as upstream does. */
const publishSecret: Rule = ({ name }, at) =>
  name
    ? named(dnsSubdomain)(name, `${at.slice(0, at.lastIndexOf("."))}.name`)
    : [required(`${at}.name`)];

/** `isTemplate`: of pods that are not yet, whose images may be filled in later. */
const sourcesOf = (isTemplate: boolean) =>
  oneSource(
    {
      emptyDir: fields({ sizeLimit }),
      ...commonSources(fields(texts("name"))),
      gitRepo: fields({ repository: needed(), directory: given(descendingPath) }),
      secret: fields({ secretName: needed(), ...files }),
      iscsi: iscsi("must be valid format starting with iqn, eui, or naa"),
      glusterfs: fields(texts("endpoints", "path")),
      persistentVolumeClaim: fields(texts("claimName")),
      downwardAPI: fields({ defaultMode: fileMode, items: downwardFiles }),
      configMap: fields({ name: needed(), ...files }),
      azureFile: fields(texts("secretName", "shareName")),
      projected,
      csi: fields({ driver: driverName, nodePublishSecretRef: publishSecret }),
      ephemeral: fields({ volumeClaimTemplate: needed(claimTemplate) }),
      image: fields({
        ...(isTemplate ? {} : texts("reference")),
        pullPolicy: given(oneOf(...pullPolicies)),
      }),
    },
    "must specify a volume type",
    manyWhy,
  );

const ofPods = sourcesOf(false);
const ofTemplates = sourcesOf(true);

export const volumeName = needed(named(dnsLabel));

/** What a volume says together with its name. */
function togetherErrors(volume: Any, at: string, pod: string | undefined): Errors {
  const { name = "", iscsi: portal, ephemeral } = volume;
  if (portal && isLongPortal(portal, name)) {
    return [invalidValue(`${at}.name`, name, longPortalWhy)];
  }
  if (!ephemeral || !pod || !name) return none;
  const claim = `${pod}-${name}`;
  return dnsSubdomain(claim).map((why) =>
    invalidValue(`${at}.name`, name, `PVC name ${JSON.stringify(claim)}: ${why}`),
  );
}

const madeWhy = "must not reference a PVC that gets created for an ephemeral volume";

/** `pod`: the name of the pod, unless they are a template's. */
export function volumesErrors(volumes: Any[], at: string, pod: string | undefined): Errors {
  let errors: Errors = none;
  const names = new Set<string>();
  const made = pod && volumes.filter((one) => one["ephemeral"]).map(({ name }) => `${pod}-${name}`);
  const sources = pod === undefined ? ofTemplates : ofPods;
  for (const [i, volume] of volumes.entries()) {
    const field = `${at}[${i}]`;
    const { name, persistentVolumeClaim: claim } = volume;
    const found = [
      ...sources(volume, field),
      ...togetherErrors(volume, field, pod),
      ...volumeName(name, `${field}.name`),
      ...(names.has(name) ? [duplicate(`${field}.name`, name)] : none),
      ...(made && claim && made.includes(claim.claimName)
        ? [invalidValue(`${field}.persistentVolumeClaim.claimName`, claim.claimName, madeWhy)]
        : none),
    ];
    if (found.length > 0) errors = [...errors, ...found];
    names.add(name);
  }
  return errors;
}
