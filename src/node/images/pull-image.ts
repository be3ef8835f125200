// Makes a container's image be there, as its pull policy says, with the pod's pull secrets.
import { isImageName } from "../../lib/image-name.ts";
import type { AgentContext } from "../context.ts";
import { handlerName } from "../pods/handler-of.ts";
import type { Container, Pod } from "../pods/pod.ts";
import type { PullAuth } from "../runtime.ts";

/** A container, or a volume that shows an image. */
type Named = Pick<Container, "image" | "imagePullPolicy">;

export class ImageError extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.name = "ImageError";
    this.reason = reason;
  }
}

const defaultRegistry = "index.docker.io";

/** `registry.example.com:5000`, or Docker Hub's for a name without one. */
export function registryOf(ref: string): string {
  const [first = "", ...rest] = ref.split("/");
  const names = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  return !names || first === "docker.io" ? defaultRegistry : first;
}

const hostOf = (key: string) => key.replace(/^https?:\/\//, "").split("/")[0]!;

/** The credentials for `ref` in a docker config, as pull secrets hold it. Pure. */
export function credentialsIn(config: any, ref: string): PullAuth | undefined {
  for (const [key, entry] of Object.entries<any>(config?.auths ?? config ?? {})) {
    const host = hostOf(key);
    if ((host === "docker.io" ? defaultRegistry : host) !== registryOf(ref)) continue;
    const [username = "", ...rest] = entry.auth
      ? Buffer.from(entry.auth, "base64").toString().split(":")
      : [entry.username, entry.password];
    return { username, password: rest.join(":") };
  }
  return undefined;
}

function pullAuth({ objects }: AgentContext, pod: Pod, ref: string): PullAuth | undefined {
  for (const { name } of pod.spec["imagePullSecrets"] ?? []) {
    const data = objects.secret(pod.metadata.namespace ?? "", name)?.["data"] ?? {};
    const text = data[".dockerconfigjson"] ?? data[".dockercfg"];
    if (!text) continue;
    try {
      const found = credentialsIn(JSON.parse(Buffer.from(text, "base64").toString()), ref);
      if (found) return found;
    } catch {
      // A secret that does not parse gives no credentials.
    }
  }
  return undefined;
}

/** What a missing policy means. */
export function pullPolicy({ image, imagePullPolicy }: Named): string {
  if (imagePullPolicy) return imagePullPolicy;
  const name = image.slice(image.lastIndexOf("/") + 1);
  if (name.includes("@")) return "IfNotPresent";
  return !name.includes(":") || name.endsWith(":latest") ? "Always" : "IfNotPresent";
}

async function pull(context: AgentContext, pod: Pod, image: string): Promise<string> {
  const { runtime, event, clock } = context;
  event(pod, "Normal", "Pulling", `Pulling image "${image}"`);
  const began = clock.monotonic();
  try {
    const auth = pullAuth(context, pod, image);
    const id = await runtime.pullImage(image, auth, handlerName(context, pod));
    const text = `${((clock.monotonic() - began) / 1000).toFixed(3)}s`;
    const size = (await runtime.imageStatus(image))?.sizeBytes ?? 0;
    const how = `in ${text} (${text} including waiting). Image size: ${size} bytes.`;
    event(pod, "Normal", "Pulled", `Successfully pulled image "${image}" ${how}`);
    return id;
  } catch (error) {
    const { message } = error as Error;
    event(pod, "Warning", "Failed", `Failed to pull image "${image}": ${message}`);
    event(pod, "Warning", "Failed", "Error: ErrImagePull");
    throw new ImageError("ErrImagePull", message);
  }
}

/** Resolves with the image's id; throws ImageError. */
export async function ensureImage(context: AgentContext, pod: Pod, container: Named) {
  const { runtime, event } = context;
  const { image } = container;
  if (!isImageName(image)) {
    const wrong = `couldn't parse image name ${JSON.stringify(image)}: invalid reference format`;
    const message = `Failed to apply default image tag ${JSON.stringify(image)}: ${wrong}`;
    event(pod, "Warning", "InspectFailed", message);
    throw new ImageError("InvalidImageName", message);
  }
  const policy = pullPolicy(container);
  if (policy === "Always") return pull(context, pod, image);
  const present = await runtime.imageStatus(image);
  if (present) {
    event(pod, "Normal", "Pulled", `Container image "${image}" already present on machine`);
    return present.id;
  }
  if (policy !== "Never") return pull(context, pod, image);
  const message = `Container image "${image}" is not present with pull policy of Never`;
  event(pod, "Warning", "ErrImageNeverPull", message);
  event(pod, "Warning", "Failed", "Error: ErrImageNeverPull");
  throw new ImageError("ErrImageNeverPull", message);
}
