// What is done before runc creates a container of the handler `wasm`: its module is looked at, and the bundle's
// config.json is rewritten. What is no module stays the ordinary container that it is.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  annotationNames,
  componentFolder,
  isSandbox,
  memoryLimit,
  modulePath,
  programFile,
  programOf,
  wasmBundle,
} from "./bundle.ts";
import { examine } from "./examine.ts";
import { httpLimits } from "./experimental-http/limits.ts";
import { httpSettings } from "./http-settings.ts";
import type { BundleConfig } from "./bundle.ts";
import { moduleKind } from "./module-kind.ts";
import { ownRunner } from "./own-runner.ts";
import { readModule } from "./read-module.ts";
import { refuseSecurity } from "./refused-security.ts";

const reasonCharactersMax = 400;

async function prepare(bundle: string, cache: string) {
  const file = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as BundleConfig;
  if (isSandbox(config)) return;
  const path = modulePath(config);
  const bytes = readModule(path, resolve(bundle, config.root?.path ?? "rootfs"));
  const kind = bytes && moduleKind(bytes);
  if (bytes === undefined || kind === undefined) {
    if (path.endsWith(".wasm"))
      throw new Error(`${path} is ${bytes ? "no WebAssembly module" : "not in the image"}`);
    // A container of another kind beside the modules of its pod.
    return;
  }
  refuseSecurity(JSON.parse(config.annotations?.[annotationNames.securityContext] ?? "{}"));
  const memoryBytes = memoryLimit(config);
  const { network, component } = await examine(path, bytes, { cache, memoryBytes });
  const program = join(bundle, programFile);
  const isFolder = (source: string) => statSync(source).isDirectory();
  const told = {
    ...programOf(config, isFolder),
    ...(component && { component: componentFolder, http: httpSettings(config.annotations) }),
    // Whoever needs a network without being a component asks by the old way.
    ...(network && !component && { experimentalHttp: httpLimits(config.annotations) }),
  };
  writeFileSync(program, JSON.stringify(told), { mode: 0o644 });
  const made = { runner: ownRunner(), program, network, arch: process.arch };
  writeFileSync(
    file,
    JSON.stringify(wasmBundle(config, { ...made, ...(component && { component }) })),
  );
}

/** `cache`: the folder of transpiled components. Resolves with what is wrong, as a part of a line of JSON. */
export async function prepareBundle(bundle: string, cache: string): Promise<string> {
  try {
    await prepare(bundle, cache);
    return "";
  } catch (error) {
    // What a module names may hold anything.
    return JSON.stringify((error as Error).message.slice(0, reasonCharactersMax)).slice(1, -1);
  }
}
