// AWS Signature Version 4 for one GET of an object. Pure.
import { createHash, createHmac } from "node:crypto";

export interface S3Keys {
  accessKeyId: string;
  secretKey: string;
}

const hash = (text: string) => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string) =>
  createHmac("sha256", key).update(text).digest();
const regionDefault = "us-east-1";
const unsigned = "UNSIGNED-PAYLOAD";

/** The region that AWS' own host names say. */
function regionOf(host: string): string {
  return /^(?:.+\.)?s3[.-]([a-z0-9-]+)\.amazonaws\.com$/.exec(host)?.[1] ?? regionDefault;
}

/** Everything but letters, digits and `-._~` is escaped. */
const escaped = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );

const canonicalPath = (path: string) =>
  path
    .split("/")
    .map((part) => escaped(decodeURIComponent(part)))
    .join("/");

const canonicalQuery = (query: URLSearchParams) =>
  [...query]
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .sort()
    .join("&");

/** Headers of the request. */
export function signS3(url: string, { accessKeyId, secretKey }: S3Keys, now: number) {
  const { host, hostname, pathname, searchParams } = new URL(url);
  const time = new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, "");
  const day = time.slice(0, 8);
  const scope = `${day}/${regionOf(hostname)}/s3/aws4_request`;
  const headers = { host, "x-amz-content-sha256": unsigned, "x-amz-date": time };
  const names = Object.keys(headers).join(";");
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const request = [
    "GET",
    canonicalPath(pathname),
    canonicalQuery(searchParams),
    lines.join(""),
    names,
    unsigned,
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, hash(request)].join("\n");
  const key = scope
    .split("/")
    .reduce<string | Buffer>((by, part) => hmac(by, part), `AWS4${secretKey}`);
  const signature = hmac(key, text).toString("hex");
  const credential = `Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...headers, authorization: `AWS4-HMAC-SHA256 ${credential}` };
}
