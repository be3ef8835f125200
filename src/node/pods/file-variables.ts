// Variables from a file that another container of the pod wrote into an emptyDir (KEP-3721). What is in the volume is a
// container's: no link leads out of it, only a plain file is read, and only so much of it.
import { constants, open } from "node:fs/promises";
import { NotInVolume, openSubPath } from "../volumes/sub-path.ts";
import type { Volume } from "../volumes/volume.ts";
import { ConfigError } from "./config-error.ts";
import type { Container, Pod } from "./pod.ts";

export interface FileKeyRef {
  volumeName: string;
  path: string;
  key: string;
  optional?: boolean;
}

/** By the reference; undefined for one that is missing and may be. */
export type FileValues = (ref: FileKeyRef) => string | undefined;

const fileBytesMax = 64 * 1024;

const quote = (text: string) => JSON.stringify(text);

/** The first place from `at` on that is neither blank nor tab. */
function pastBlanks(text: string, at: number): number {
  while (text[at] === " " || text[at] === "\t") at++;
  return at;
}

const endOf = (text: string, found: number) => (found < 0 ? text.length : found);

interface Assignment {
  name: string;
  value: string;
  /** Where the next line begins. */
  next: number;
}

/** `NAME='value'`, whose value may have several lines; undefined for anything else. Pure. */
function assignmentAt(text: string, at: number): Assignment | undefined {
  const lineEnd = endOf(text, text.indexOf("\n", at));
  const equals = text.indexOf("=", at);
  if (equals <= at || equals > lineEnd || pastBlanks(text, equals - 1) !== equals - 1) {
    return undefined;
  }
  const name = text.slice(at, equals);
  const quoted = equals + 1;
  // To a shell that is an empty value, and a command behind it.
  if (pastBlanks(text, quoted) !== quoted) return { name, value: "", next: lineEnd + 1 };
  const closed = text.indexOf("'", quoted + 1);
  if (text[quoted] !== "'" || closed < 0) return undefined;
  const end = pastBlanks(text, closed + 1);
  if (end < text.length && text[end] !== "\n" && text[end] !== "#") return undefined;
  const next = endOf(text, text.indexOf("\n", end)) + 1;
  return { name, value: text.slice(quoted + 1, closed), next };
}

/** The first of this name, in the subset of the shell's syntax that env files have. Throws at a line before it. Pure. */
export function findVariable(text: string, key: string): string | undefined {
  for (let at = 0; at < text.length;) {
    at = pastBlanks(text, at);
    if (at === text.length || text[at] === "\n" || text[at] === "#") {
      at = endOf(text, text.indexOf("\n", at)) + 1;
      continue;
    }
    const found = assignmentAt(text, at);
    if (!found) {
      const line = text.slice(0, at).split("\n").length;
      throw new ConfigError(`line ${line} is not of the form NAME='value'`);
    }
    if (found.name === key) return found.value;
    at = found.next;
  }
  return undefined;
}

/** Undefined where there is no such file. */
async function readIn(volume: Volume, path: string): Promise<string | undefined> {
  let place;
  try {
    place = await openSubPath(volume.hostPath, path, { mayMake: false });
  } catch (error) {
    if (error instanceof NotInVolume) return undefined;
    throw error;
  }
  try {
    const found = await place.stat();
    if (!found.isFile()) throw new ConfigError(`${quote(path)} is no plain file`);
    if (found.size > fileBytesMax) {
      throw new ConfigError(`${quote(path)} is larger than ${fileBytesMax} bytes`);
    }
    const file = await open(`/proc/self/fd/${place.fd}`, constants.O_RDONLY);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(fileBytesMax), 0, fileBytesMax, 0);
      return buffer.toString("utf8", 0, bytesRead);
    } finally {
      await file.close();
    }
  } finally {
    await place.close();
  }
}

function valueIn(text: string | undefined, ref: FileKeyRef): string | undefined {
  const { key, path, volumeName, optional } = ref;
  const file = `${quote(path)} of volume ${quote(volumeName)}`;
  if (text === undefined) {
    if (optional) return undefined;
    throw new ConfigError(`there is no file ${file}`);
  }
  const value = found(text, key, file);
  if (value !== undefined || optional) return value;
  throw new ConfigError(`environment variable key ${quote(key)} not found in file ${file}`);
}

function found(text: string, key: string, file: string): string | undefined {
  try {
    return findVariable(text, key);
  } catch (error) {
    throw new ConfigError(`${file}: ${(error as Error).message}`);
  }
}

/** Of all that the container refers to, as it is now. Throws ConfigError and VolumeError. */
export async function fileValues(
  { pod, container }: { pod: Pod; container: Container },
  volumes: ReadonlyMap<string, Volume>,
): Promise<FileValues> {
  const read = new Map<string, string | undefined>();
  const nameOf = ({ volumeName, path }: FileKeyRef) => `${volumeName}/${path}`;
  for (const { valueFrom } of container.env ?? []) {
    const ref: FileKeyRef | undefined = valueFrom?.fileKeyRef;
    if (!ref || read.has(nameOf(ref))) continue;
    const volume = volumes.get(ref.volumeName);
    const declared = pod.spec.volumes?.find(({ name }) => name === ref.volumeName);
    if (!volume || !declared) throw new ConfigError(`volume ${quote(ref.volumeName)} not found`);
    if (!declared["emptyDir"]) {
      throw new ConfigError(`fileKeyRef: volume ${quote(ref.volumeName)} is no emptyDir`);
    }
    read.set(nameOf(ref), await readIn(volume, ref.path));
  }
  return (ref) => valueIn(read.get(nameOf(ref)), ref);
}
