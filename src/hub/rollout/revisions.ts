// What a ManifestWorkReplicaSet held before, as ControllerRevisions: the content to go back to, and which
// content was given up. So a hub that crashes, or is restored, goes on where it was. Pure.
import { controllerReference } from "../../controllers/pod-template.ts";
import { shortHash } from "../../controllers/revision-history.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import type { OverrideRule } from "../overrides/apply.ts";
import { setLabel } from "./works.ts";
import type { Content } from "./works.ts";

const wholeAnnotation = "fleet.kerb.dev/rolled-out";
const givenUpAnnotation = "fleet.kerb.dev/given-up";
const revisionsMax = 5;

export function contentOf(set: KubeObject, overrides: OverrideRule[] = []): Content {
  const spec = set.spec.manifestWorkTemplate;
  return overrides.length === 0
    ? { name: shortHash(spec), spec }
    : { name: shortHash({ spec, overrides }), spec, overrides };
}

export const revisionName = (set: KubeObject, content: Content) =>
  `${set.metadata.name}-${content.name}`;

/** `known` oldest first. */
export const ordered = (known: KubeObject[]) =>
  known.toSorted((a, b) => a["revision"] - b["revision"]);

export function revisionDraft(set: KubeObject, content: Content, known: KubeObject[]): Draft {
  const { namespace, name } = set.metadata;
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name: revisionName(set, content),
      namespace: namespace!,
      labels: { [setLabel]: name },
      ownerReferences: [controllerReference(set)],
    },
    data: { spec: content.spec, ...(content.overrides && { overrides: content.overrides }) },
    revision: (ordered(known).at(-1)?.["revision"] ?? 0) + 1,
  };
}

/** The last content that was rolled out whole, other than `present`. */
export function previousOf(set: KubeObject, present: Content, known: KubeObject[]) {
  const revision = ordered(known).findLast(
    ({ metadata }) =>
      metadata.annotations?.[wholeAnnotation] && metadata.name !== revisionName(set, present),
  );
  if (!revision) return undefined;
  const name = revision.metadata.name.slice(set.metadata.name.length + 1);
  return { name, ...revision["data"] } as Content;
}

export const whyGivenUp = (revision: KubeObject | undefined) =>
  revision?.metadata.annotations?.[givenUpAnnotation];

/** What to note at the present revision after `phase`; undefined for nothing new. */
export function noteOf(
  revision: KubeObject,
  { phase, message, givenUp = message }: { phase: string; message: string; givenUp?: string },
): Record<string, string> | undefined {
  const have = revision.metadata.annotations ?? {};
  if (phase === "Complete" && !have[wholeAnnotation]) return { [wholeAnnotation]: "true" };
  if (phase === "RollingBack" && !have[givenUpAnnotation]) return { [givenUpAnnotation]: givenUp };
  return undefined;
}

/** The oldest that nobody goes back to. */
export function surplusOf(set: KubeObject, present: Content, known: KubeObject[]): KubeObject[] {
  const previous = previousOf(set, present, known);
  const kept = [present, previous].flatMap((one) => (one ? [revisionName(set, one)] : []));
  const others = ordered(known).filter(({ metadata }) => !kept.includes(metadata.name));
  return others.slice(0, Math.max(others.length + kept.length - revisionsMax, 0));
}
