// What is done before runc creates a container of the handler `wasm`: its module is looked at, and the bundle's
// config.json is rewritten. What is no module stays the ordinary container that it is.
import { readFileSync, readdirSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { systemClock } from "../lib/clock.ts";
import {
  componentFolder,
  isSandbox,
  memoryLimit,
  modulePath,
  programFile,
  programOf,
  wasmBundle,
} from "./bundle.ts";
import { checkComponent } from "./check-component.ts";
import { checkCoreMemory, checkModule, httpModule } from "./check-module.ts";
import { httpLimits } from "./experimental-http/limits.ts";
import { httpSettings } from "./http-settings.ts";
import { readFacts } from "./component.ts";
import type { BundleConfig, Runner } from "./bundle.ts";
import { moduleKind } from "./module-kind.ts";

function isThere(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

const moduleBytesMax = 256 * 2 ** 20;
const reasonCharactersMax = 400;

/** The image's own file; links in the image must not lead to the machine's. Undefined where there is none. */
function readModule(path: string, root: string): Buffer | undefined {
  const file = isThere(join(root, path));
  if (file === undefined) return undefined;
  if (!file.startsWith(`${realpathSync(root)}/`)) throw new Error(`${path} leads out of the image`);
  const stats = statSync(file);
  if (!stats.isFile()) throw new Error(`${path} is no file`);
  if (stats.size > moduleBytesMax)
    throw new Error(`${path} is larger than ${moduleBytesMax} bytes`);
  return readFileSync(file);
}

/** What the dynamic loader gave this very process. */
function sharedObjects(): string[] {
  const maps = readFileSync("/proc/self/maps", "utf8");
  const found = [...maps.matchAll(/ (\/\S+\.so[.\d]*)$/gm)].map((match) => match[1]!);
  return [...new Set(found)];
}

function runner(): Runner {
  const isBuilt = extname(import.meta.filename) === ".cjs";
  return {
    executable: process.execPath,
    libraries: sharedObjects(),
    // Sources find each other by their folders; the build puts all of the runner into one.
    folder: isBuilt ? join(import.meta.dirname, "wasm") : resolve(import.meta.dirname, ".."),
    file: isBuilt ? "wasm-run.cjs" : "wasm/wasm-run.ts",
  };
}

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
  const memoryBytes = memoryLimit(config);
  const { network, component } =
    kind === "component"
      ? await examineComponent(path, bytes, { cache, memoryBytes })
      : named(path, () => examineModule(bytes, memoryBytes));
  const program = join(bundle, programFile);
  const isFolder = (source: string) => statSync(source).isDirectory();
  const told = {
    ...programOf(config, isFolder),
    ...(component && { component: componentFolder, http: httpSettings(config.annotations) }),
    // Whoever needs a network without being a component asks by the old way.
    ...(network && !component && { experimentalHttp: httpLimits(config.annotations) }),
  };
  writeFileSync(program, JSON.stringify(told), { mode: 0o644 });
  const made = { runner: runner(), program, memoryBytes, network, arch: process.arch };
  writeFileSync(
    file,
    JSON.stringify(wasmBundle(config, { ...made, ...(component && { component }) })),
  );
}

interface Examined {
  network: boolean;
  /** Folder of what was made of a component. */
  component?: string;
}

function examineModule(bytes: Uint8Array, memoryBytes: number | undefined): Examined {
  const { imports } = checkModule(bytes, memoryBytes);
  return { network: imports.some(({ module }) => module === httpModule) };
}

async function examineComponent(
  path: string,
  bytes: Uint8Array,
  { cache, memoryBytes }: { cache: string; memoryBytes: number | undefined },
): Promise<Examined> {
  try {
    // Not needed for modules, which start sooner without it.
    const { transpiled } = await import("./transpile.ts");
    const component = await transpiled(cache, bytes, systemClock.now() / 1000);
    for (const name of readdirSync(component)) {
      if (!name.endsWith(".wasm")) continue;
      checkCoreMemory(readFileSync(join(component, name)), memoryBytes);
    }
    return { component, ...checkComponent(readFacts(component)) };
  } catch (error) {
    throw new Error(`${path} ${(error as Error).message}`, { cause: error });
  }
}

function named<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw new Error(`${path} ${(error as Error).message}`, { cause: error });
  }
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
