// Akri's two kinds, served as custom resources: what Akri's own chart installs is the same thing.
import { configurationDefinition } from "./kinds/configuration.ts";
import { instanceDefinition } from "./kinds/instance.ts";

export const definitions = [configurationDefinition, instanceDefinition];
