import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { credentialsOf, credentialVolumes } from "./credentials-of.ts";
import { accessEvent, GuestAccess } from "./tell-agent.ts";

const root = mkdtempSync(join(tmpdir(), "kerb-credentials-"));
after(() => rmSync(root, { recursive: true }));

/** As a kubelet writes it. */
function secret(volume: string, data: Record<string, string>) {
  const folder = join(root, volume);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "..data"), { recursive: true });
  for (const [name, text] of Object.entries(data)) {
    writeFileSync(join(folder, "..data", name), text);
    symlinkSync(join("..data", name), join(folder, name));
  }
}

const agentKey = (secretName: string, ...users: string[]) => ({
  sshPublicKey: {
    source: { secret: { secretName } },
    propagationMethod: { qemuGuestAgent: { users } },
  },
});
const password = (secretName: string) => ({
  userPassword: { source: { secret: { secretName } }, propagationMethod: { qemuGuestAgent: {} } },
});
const seedKey = (secretName: string) => ({
  sshPublicKey: { source: { secret: { secretName } }, propagationMethod: { noCloud: {} } },
});

test("QEMU sees no Secret but keys that are in the guest's seed", () => {
  const accessCredentials = [agentKey("keys", "fred"), password("words"), seedKey("public")];
  const { volumes, volumeMounts } = credentialVolumes({ accessCredentials });
  const names = volumes.map((one) => one.secret.secretName);
  assert.deepEqual(names, ["keys", "words", "public"]);
  assert.deepEqual(volumeMounts, [
    { name: "vm-access-2", mountPath: "/vm/access/vm-access-2", readOnly: true },
  ]);
});

test("a guest is told by its agent who logs in, and again after a change, a failure or a new start", async () => {
  const spec = {
    accessCredentials: [agentKey("a", "fred", "ann"), agentKey("b", "ann"), password("c")],
  };
  const told: string[] = [];
  let trouble = false;
  const agent = {
    async execute(command: string, { username, keys, password: word }: any) {
      if (trouble) throw new Error("no such user");
      told.push(`${command} ${username} ${keys ?? Buffer.from(word, "base64")}`);
    },
  };
  secret("vm-access-0", { one: "ssh-ed25519 A\n\nssh-ed25519 B\n" });
  secret("vm-access-1", { two: "ssh-rsa C" });
  secret("vm-access-2", { root: "open sesame" });
  const access = new GuestAccess(credentialsOf(spec), (volume) => join(root, volume));
  access.lost();
  assert.equal(access.condition?.message, "Guest agent is offline");
  await access.tell(agent);
  assert.deepEqual(told.splice(0), [
    "guest-ssh-add-authorized-keys fred ssh-ed25519 A,ssh-ed25519 B",
    "guest-ssh-add-authorized-keys ann ssh-ed25519 A,ssh-ed25519 B,ssh-rsa C",
    "guest-set-user-password root open sesame",
  ]);
  assert.equal(access.condition?.status, "True");
  await access.tell(agent);
  assert.deepEqual(told, [], "nothing changed");
  secret("vm-access-2", { root: "changed" });
  trouble = true;
  const before = access.condition;
  await access.tell(agent);
  assert.match(access.condition?.message ?? "", /keys of user fred .* no such user/);
  assert.equal(accessEvent(before, access.condition)?.reason, "AccessCredentialsSyncFailed");
  trouble = false;
  await access.tell(agent);
  assert.equal(told.splice(0).at(-1), "guest-set-user-password root changed");
  access.lost();
  await access.tell(agent);
  assert.equal(told.length, 3);
});

test("guests whose credentials are in their seed, or that have none, are told nothing", async () => {
  for (const accessCredentials of [[], [seedKey("public")]]) {
    const access = new GuestAccess(credentialsOf({ accessCredentials }), () => root);
    access.lost();
    await access.tell({ execute: () => Promise.reject(new Error("asked")) });
    assert.equal(access.condition, undefined);
    assert.equal(accessEvent(undefined, access.condition), undefined);
  }
});
