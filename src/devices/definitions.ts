// Akri's two kinds, served as custom resources: what Akri's own chart installs is the same thing. And Kerb's twins.
import { configurationDefinition } from "./kinds/configuration.ts";
import { deviceTwinDefinition } from "./kinds/device-twin.ts";
import { instanceDefinition } from "./kinds/instance.ts";

export const definitions = [configurationDefinition, deviceTwinDefinition, instanceDefinition];
