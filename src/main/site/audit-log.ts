// The audit log on disk: lines of JSON in a file that only its owner reads. When it is full it is set aside
// and a new one begins; of the full ones the newest are kept. Nothing is opened without a policy.
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import type { UpOptions } from "../../cli/up.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { readPolicy } from "../../server/audit/policy.ts";

export interface AuditFiles {
  policy: string;
  log: string;
  sizeBytesMax: number;
  backupsMax: number;
}

const mebibyte = 2 ** 20;
const sizeDefault = 100;
const backupsDefault = 5;

/** Lines written at once at most; a caller waits for the disk sooner than memory grows. */
const pendingBytesMax = mebibyte;

export function auditFilesOf(options: UpOptions): AuditFiles | undefined {
  if (!options.auditPolicy) {
    if (options.auditLog) throw new Error("--audit-log needs --audit-policy: it says what is told");
    return undefined;
  }
  return {
    policy: resolve(options.auditPolicy),
    log: resolve(options.auditLog ?? join(options.dataDir, "audit.log")),
    sizeBytesMax: (options.auditLogMaxSize ?? sizeDefault) * mebibyte,
    backupsMax: options.auditLogMaxBackups ?? backupsDefault,
  };
}

/** Sets `path` aside as `path.1`, `path.1` as `path.2`, and so on; the oldest goes. */
function setAside(path: string, backupsMax: number) {
  rmSync(`${path}.${backupsMax}`, { force: true });
  for (let i = backupsMax - 1; i >= 0; i--) {
    try {
      renameSync(i === 0 ? path : `${path}.${i}`, `${path}.${i + 1}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}

export class RotatingFile {
  readonly #files: Omit<AuditFiles, "policy">;
  readonly #log: Log;
  #file: number;
  #size: number;
  #pending: string[] = [];
  #pendingBytes = 0;
  #closed = false;

  constructor(files: Omit<AuditFiles, "policy">, log: Log) {
    mkdirSync(dirname(files.log), { recursive: true, mode: 0o700 });
    this.#files = files;
    this.#log = log;
    this.#file = openSync(files.log, "a", 0o600);
    this.#size = fstatSync(this.#file).size;
  }

  /** Lines of one turn of the event loop are written together. */
  readonly write = (line: string) => {
    if (this.#closed) return;
    if (this.#pending.length === 0) setImmediate(() => this.#flush());
    this.#pending.push(line, "\n");
    this.#pendingBytes += line.length + 1;
    if (this.#pendingBytes >= pendingBytesMax) this.#flush();
  };

  close() {
    this.#flush();
    this.#closed = true;
    closeSync(this.#file);
  }

  #flush() {
    if (this.#pending.length === 0) return;
    const bytes = Buffer.from(this.#pending.join(""));
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      if (this.#size > 0 && this.#size + bytes.length > this.#files.sizeBytesMax) this.#rotate();
      for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
      this.#size += bytes.length;
    } catch (error) {
      this.#log.error("the audit log cannot be written", { error: String(error) });
    }
  }

  #rotate() {
    closeSync(this.#file);
    setAside(this.#files.log, this.#files.backupsMax);
    this.#file = openSync(this.#files.log, "a", 0o600);
    this.#size = 0;
  }
}

/** Reads the policy and opens the log; throws when one of them cannot be. */
export function openAudit(files: AuditFiles, { log, scope }: { log: Log; scope: Scope }) {
  const policy = readPolicy(parse(readFileSync(files.policy, "utf8")));
  const file = new RotatingFile(files, log.with({ room: "audit" }));
  scope.defer(() => file.close());
  return { policy, write: file.write };
}
