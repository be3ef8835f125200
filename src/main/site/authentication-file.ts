import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { readConfiguration } from "../../server/auth/oidc/configuration.ts";
import type { AuthenticationConfiguration } from "../../server/auth/oidc/configuration.ts";

/** Throws an Error that names the file and what in it is wrong. */
export function authenticationIn(path: string): AuthenticationConfiguration {
  try {
    return readConfiguration(parse(readFileSync(path, "utf8")));
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}
