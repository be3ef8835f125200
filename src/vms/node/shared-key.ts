// A key that both ends of a TLS connection of QEMU's know, as a file that QEMU reads and nobody else.
import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { qemuUser } from "../domain.ts";

const keyUser = "kerb";

export interface SharedKey {
  /** The folder of the pod that QEMU sees as `inside`. */
  run: string;
  inside: string;
  id: string;
  key: string;
  endpoint: "client" | "server";
}

/** Arguments of `object-add`. */
export async function sharedKey({ run, inside, id, key, endpoint }: SharedKey) {
  const folder = join(run, id);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, "keys.psk");
  await writeFile(file, `${keyUser}:${key}\n`, { mode: 0o600 });
  for (const path of [folder, file]) await chown(path, qemuUser, qemuUser);
  return {
    "qom-type": "tls-creds-psk",
    id,
    dir: join(inside, id),
    endpoint,
    ...(endpoint === "client" && { username: keyUser }),
  };
}
