// Values of a device with an HTTP interface: read with GET, written with PUT or POST, whole bodies or fields of
// JSON. Nothing but the address that was found is asked.
import type { Device, DiscoverRequest } from "../handler.ts";
import { payloadOf, valueIn } from "../mqtt/twin.ts";
import { loginOf, textOf } from "../properties.ts";
import { PropertyRefused } from "../twins/channel.ts";
import type { Access, TwinChannel } from "../twins/channel.ts";

const answerMsMax = 5000;
const bodyBytesMax = 256 * 1024;
const methods = ["PUT", "POST", "PATCH"];

function placeOf({ path, method = "PUT", field }: Access) {
  const isPath = typeof path === "string" && /^\/(?!\/)/.test(path);
  if (!isPath) throw new PropertyRefused("access.path: a path that begins with one slash");
  if (!methods.includes(method))
    throw new PropertyRefused(`access.method: one of ${methods.join(", ")}`);
  if (field !== undefined && typeof field !== "string")
    throw new PropertyRefused("access.field: a text");
  return { path: path as string, method: method as string, field: field as string | undefined };
}

async function bodyOf(response: Response): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > bodyBytesMax) throw new PropertyRefused("the answer is too long");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function authorization(given: DiscoverRequest["properties"]): Record<string, string> {
  const [token, login] = [textOf(given, "token"), loginOf(given)];
  if (token) return { authorization: `Bearer ${token}` };
  if (!login) return {};
  const basic = Buffer.from(`${login.username}:${login.password}`).toString("base64");
  return { authorization: `Basic ${basic}` };
}

export function openHttpTwin(
  { properties }: Device,
  { properties: given, signal }: Pick<DiscoverRequest, "properties" | "signal">,
): TwinChannel {
  const url = properties["SCAN_URL"];
  if (!url) throw new Error("it was found by TCP alone: discoveryDetails.http says how it speaks");
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(new URL(path, url), {
      ...init,
      headers: { ...authorization(given), "content-type": "application/json" },
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]),
    });
    const body = await bodyOf(response);
    if (response.ok) return body;
    throw new PropertyRefused(`${path} answers ${response.status}`);
  };
  return {
    async read(access) {
      const { path, field } = placeOf(access);
      return valueIn(await ask(path), field)?.trim();
    },
    async write(access, value) {
      const { path, method, field } = placeOf(access);
      await ask(path, { method, body: payloadOf(value, field) });
    },
    close() {},
  };
}
