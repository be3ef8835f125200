// Values of a device with an HTTP interface: read with GET, written with PUT or POST, whole bodies or fields of
// JSON. Nothing but the address that was found is asked.
import type { Device, DiscoverRequest } from "../discovery/handler.ts";
import { payloadOf, valueIn } from "../mqtt/twin.ts";
import { loginOf, textOf } from "../discovery/properties.ts";
import { trustOf } from "../network/trust.ts";
import { PropertyRefused } from "../twins/channel.ts";
import type { Access, TwinChannel } from "../twins/channel.ts";
import { askHttp } from "./ask.ts";
import type { HttpQuestion } from "./ask.ts";

const answerMsMax = 5000;
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
  const trust = trustOf(given);
  const ask = async (path: string, more: Pick<HttpQuestion, "method" | "body"> = {}) => {
    const { status, body } = await askHttp(new URL(path, url), {
      ...more,
      headers: { ...authorization(given), "content-type": "application/json" },
      trust,
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]),
    });
    if (status >= 200 && status < 300) return body;
    throw new PropertyRefused(`${path} answers ${status}`);
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
