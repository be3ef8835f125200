// Akri's two kinds, served as custom resources: what Akri's own chart installs is the same thing. And Kerb's twins.
import { configurationDefinition } from "./configuration.ts";
import { deviceTwinDefinition } from "./device-twin.ts";
import { instanceDefinition } from "./instance.ts";

export const definitions = [configurationDefinition, deviceTwinDefinition, instanceDefinition];
