// What a wing serves beyond Kubernetes' own kinds, as anybody's chart would install it.
import type { Clock } from "../lib/clock.ts";
import { apply } from "./apply.ts";
import type { Client } from "./client.ts";
import { resource } from "./client.ts";
import { waitFor } from "./wait.ts";
import type { Draft } from "../kinds/object.ts";

const crds = resource("apiextensions.k8s.io/v1", "customresourcedefinitions");
const establishedMsMax = 30_000;

export type Definition = Draft & { metadata: { name: string } };

const isEstablished = (status: any) =>
  status?.conditions?.some((one: any) => one.type === "Established" && one.status === "True");

/** Resolves once the server serves all of them. */
export async function ensureDefinitions(client: Client, clock: Clock, definitions: Definition[]) {
  const ensure = async (definition: Definition) => {
    await apply(client, crds, definition, { fieldManager: "kerb" });
    const target = { ...crds, name: definition.metadata.name };
    await waitFor(client, target, (crd) => isEstablished(crd?.status), {
      clock,
      timeoutMs: establishedMsMax,
    });
  };
  await Promise.all(definitions.map(ensure));
}
