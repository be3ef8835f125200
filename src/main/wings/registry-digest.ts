// What registries have by a reference, for imports that follow it.
import { fullReference } from "../../containers/images.ts";
import type { Registries } from "../../lib/registries.ts";
import { parseName, RegistryClient } from "../../wasm/registry/registry-client.ts";

export const registryDigest = (registries: Registries) => (reference: string) =>
  new RegistryClient(parseName(fullReference(reference)), { registries, fetch }).digest();
