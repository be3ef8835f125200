// What all servers of one cluster on etcd have in common: authorities, the key of service-account tokens, the
// keys of Secrets, the ranges of addresses. The first server makes them and leaves them in etcd, encrypted
// with the cluster's token; a further server brings the token. So whoever can read etcd alone can neither
// sign nor read Secrets.
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { openPki } from "../../server/auth/pki.ts";
import { openSideValues } from "../../store/etcd/side-values.ts";
import type { SideValues } from "../../store/etcd/side-values.ts";
import { pkiFiles, readIfThere, replaceFile } from "../files.ts";
import { openSecretKeys } from "./secret-keys.ts";
import type { SiteAddresses } from "./site-settings.ts";

/** Paths within the data directory. */
const sharedFiles = [
  "pki/ca.pem",
  "pki/front-proxy-ca.pem",
  "pki/service-account.pem",
  "keys/secrets.json",
];
const clusterRanges = ["clusterCidr", "serviceCidr", "apiServiceIp", "dnsServiceIp"] as const;
const valueName = "cluster";
const saltBytes = 16;
const nonceBytes = 12;
const tagBytes = 16;

type Ranges = Pick<SiteAddresses, (typeof clusterRanges)[number] | "second">;

interface Bundle {
  format: 1;
  files: Record<string, string>;
  ranges: Ranges;
}

/** Memory-hard, since people may choose a token themselves. */
const keyOf = (token: string, salt: Buffer) => scryptSync(token, salt, 32);

/** 16 bytes salt, 12 bytes nonce, 16 bytes tag, AES-256-GCM of the rest. */
export function sealBundle(bundle: Bundle, token: string): Buffer {
  const [salt, nonce] = [randomBytes(saltBytes), randomBytes(nonceBytes)];
  const cipher = createCipheriv("aes-256-gcm", keyOf(token, salt), nonce);
  const body = Buffer.concat([cipher.update(JSON.stringify(bundle)), cipher.final()]);
  return Buffer.concat([salt, nonce, cipher.getAuthTag(), body]);
}

/** Undefined when the token is another's. Throws when a newer Kerb wrote it. */
export function openBundle(sealed: Buffer, token: string): Bundle | undefined {
  const nonceEnd = saltBytes + nonceBytes;
  const key = keyOf(token, sealed.subarray(0, saltBytes));
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(saltBytes, nonceEnd));
  decipher.setAuthTag(sealed.subarray(nonceEnd, nonceEnd + tagBytes));
  let text: string;
  try {
    text = `${decipher.update(sealed.subarray(nonceEnd + tagBytes), undefined, "utf8")}${decipher.final("utf8")}`;
  } catch {
    return undefined;
  }
  const bundle = JSON.parse(text);
  if (bundle.format !== 1)
    throw new Error("the cluster in etcd was made by a newer Kerb; use that");
  return bundle;
}

export interface SharedClusterOptions {
  /** The data directory. */
  directory: string;
  /** `etcd://…` */
  store: string;
  /** Where the token is; default: `server-token` in the data directory. */
  tokenFile?: string;
  addresses: SiteAddresses;
  name: string;
  clock: Clock;
}

export interface SharedCluster {
  addresses: SiteAddresses;
  /** Where the token of this cluster is. */
  tokenFile: string;
}

/** Makes the cluster, or becomes one of its servers: afterwards the shared files are in the data directory. */
export async function openSharedCluster(options: SharedClusterOptions): Promise<SharedCluster> {
  const values = openSideValues(options.store, options.clock);
  try {
    const sealed = (await values.read(valueName)) ?? (await found(values, options));
    const tokenFile = options.tokenFile ?? join(options.directory, "server-token");
    const token = readIfThere(tokenFile)?.trim();
    const bundle = token ? openBundle(sealed, token) : undefined;
    if (!bundle) throw new Error(noToken(tokenFile, token !== undefined));
    for (const [path, text] of Object.entries(bundle.files)) {
      const at = join(options.directory, path);
      if (readIfThere(at) !== text) replaceFile(at, text);
    }
    return { addresses: { ...options.addresses, ...bundle.ranges }, tokenFile };
  } finally {
    values.close();
  }
}

const noToken = (file: string, isThere: boolean) =>
  `this etcd holds a cluster already, and ${file} ${isThere ? "is not its token" : "is not there"}. ` +
  "Copy DIR/server-token from one of its servers and name the copy with --server-token-file";

/** Makes what is shared and offers it; what stands in etcd afterwards counts, whoever was faster. */
async function found(values: SideValues, options: SharedClusterOptions): Promise<Buffer> {
  const { directory, addresses, clock } = options;
  const tokenFile = options.tokenFile ?? join(directory, "server-token");
  let token = readIfThere(tokenFile)?.trim();
  if (!token) {
    token = randomBytes(24).toString("base64url");
    replaceFile(tokenFile, `${token}\n`);
  }
  await openPki(pkiFiles(join(directory, "pki")), { clock, names: [options.name] });
  openSecretKeys(directory, clock);
  const files = sharedFiles.map((path) => [path, readIfThere(join(directory, path))!]);
  const ranges = clusterRanges.map((range) => [range, addresses[range]]);
  const bundle = {
    format: 1 as const,
    files: Object.fromEntries(files),
    ranges: {
      ...Object.fromEntries(ranges),
      ...(addresses.second && { second: addresses.second }),
    },
  };
  const sealed = sealBundle(bundle, token);
  if (await values.create(valueName, sealed)) return sealed;
  return (await values.read(valueName))!;
}
