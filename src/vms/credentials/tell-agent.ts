// Lets people log in to a running guest, by its agent: again when a Secret changed, when the guest began anew, and
// after a failure.
import { createHash } from "node:crypto";
import type { Condition } from "../../controllers/pod-state.ts";
import type { DomainCredential } from "../domain.ts";
import { keysIn, secretFiles } from "./secret-files.ts";

export interface Access {
  /** Users to the keys of SSH by which they log in, and to their passwords. */
  keys: Map<string, string[]>;
  passwords: Map<string, string>;
}

/** `folder` is the host's, of a volume. */
export function accessOf(credentials: DomainCredential[], folder: (volume: string) => string) {
  const access: Access = { keys: new Map(), passwords: new Map() };
  for (const { volume, users = [], passwords } of credentials) {
    const files = secretFiles(folder(volume));
    if (passwords) for (const { name, text } of files) access.passwords.set(name, text);
    const keys = keysIn(files);
    for (const user of users) access.keys.set(user, [...(access.keys.get(user) ?? []), ...keys]);
  }
  return access;
}

interface Agent {
  execute(command: string, args: object): Promise<unknown>;
}

async function tell(agent: Agent, { keys, passwords }: Access) {
  for (const [username, all] of keys) {
    const args = { username, keys: all, reset: true };
    await agent.execute("guest-ssh-add-authorized-keys", args).catch((error: Error) => {
      throw new Error(`the keys of user ${username} were not written: ${error.message}`);
    });
  }
  for (const [username, text] of passwords) {
    const args = { username, password: Buffer.from(text).toString("base64"), crypted: false };
    await agent.execute("guest-set-user-password", args).catch((error: Error) => {
      throw new Error(`the password of user ${username} was not set: ${error.message}`);
    });
  }
}

const type = "AccessCredentialsSynchronized";

const digestOf = ({ keys, passwords }: Access) =>
  createHash("sha256")
    .update(JSON.stringify([[...keys], [...passwords]]))
    .digest("hex");

/** Of one guest. */
export class GuestAccess {
  readonly #credentials: DomainCredential[];
  readonly #folder: (volume: string) => string;
  /** Of what the guest was told; a digest, since this is kept. */
  #told: string | undefined;
  /** As KubeVirt says it; undefined where nothing goes by the agent. */
  condition: Condition | undefined;

  constructor(credentials: DomainCredential[], folder: (volume: string) => string) {
    this.#credentials = credentials.filter(({ seed }) => !seed);
    this.#folder = folder;
  }

  /** The agent is away: what comes back may be another guest. */
  lost() {
    this.#told = undefined;
    if (this.#credentials.length > 0) this.#say(false, "Guest agent is offline");
  }

  #say(succeeded: boolean, message: string) {
    const status = succeeded ? "True" : "False";
    this.condition = { type, status, ...(message && { message }) };
  }

  async tell(agent: Agent) {
    if (this.#credentials.length === 0) return;
    try {
      const access = accessOf(this.#credentials, this.#folder);
      const digest = digestOf(access);
      if (digest === this.#told) return;
      await tell(agent, access);
      this.#told = digest;
      this.#say(true, "");
    } catch (error) {
      this.#told = undefined;
      this.#say(false, (error as Error).message);
    }
  }
}

/** What is told of a change of it. */
export function accessEvent(before: Condition | undefined, now: Condition | undefined) {
  const isSame = before?.status === now?.status && before?.message === now?.message;
  if (!now || isSame) return undefined;
  if (now.status === "True") {
    const message = "Access credentials sync successful.";
    return { type: "Normal", reason: "AccessCredentialsSyncSuccess", message } as const;
  }
  const message = `Access credentials sync failed: ${now.message}`;
  return { type: "Warning", reason: "AccessCredentialsSyncFailed", message } as const;
}
