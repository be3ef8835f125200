// Which pods of modules run without containerd: those that ask for nothing but what most of them do. The others are
// containerd's, and nobody who looks at them sees a difference but the time. Pure.
import { resolve } from "node:path";
import { handlers } from "../handlers.ts";
import type { ImageConfig, PlannedContainer, SandboxConfig } from "../../node/runtime.ts";
import type { RunnerUser } from "../../node/process-programs.ts";

const ownResources = new Set(["cpu", "memory", "ephemeral-storage"]);
export const nobody = 65_534;

/**
 * What is mounted inside of another volume is mounted where a module may have planted a link; containerd finds its way
 * there.
 */
export function standApart(paths: string[]): boolean {
  const all = paths.map((path) => `${resolve("/", path)}/`);
  return all.every((path, i) => all.every((other, j) => i === j || !path.startsWith(other)));
}

function isPlain(container: PlannedContainer): boolean {
  const { stdin, tty, volumeDevices, resources, securityContext, command = [] } = container;
  const mounts: { mountPath: string; mountPropagation?: string }[] =
    container["volumeMounts"] ?? [];
  const lastWords: string = container["terminationMessagePath"] ?? "/dev/termination-log";
  const asked = Object.keys({ ...resources?.requests, ...resources?.limits });
  return (
    !stdin &&
    !tty &&
    !volumeDevices?.length &&
    standApart([lastWords, ...mounts.map(({ mountPath }) => mountPath)]) &&
    mounts.every(({ mountPropagation }) => mountPropagation !== "Bidirectional") &&
    !resources?.claims?.length &&
    asked.every((name) => ownResources.has(name)) &&
    !securityContext?.appArmorProfile &&
    // What it is called may depend on its environment.
    !command.some((word) => word.includes("$("))
  );
}

export function suits(config: SandboxConfig): boolean {
  const { handler, containers = [], userNamespace, sysctls, securityContext } = config;
  return (
    handlers.includes(handler) &&
    containers.length > 0 &&
    !config.hostNetwork &&
    !config.hostPid &&
    !config.hostIpc &&
    !config.shareProcessNamespace &&
    !userNamespace &&
    Object.keys(sysctls).length === 0 &&
    !securityContext["appArmorProfile"] &&
    containers.every(isPlain)
  );
}

/** The user that an image names by numbers; undefined where it names one that only its own files know. */
function imageUser(user: string): { uid: number; gid: number } | undefined {
  const [, uid, gid = "0"] = /^(\d+)(?::(\d+))?$/.exec(user || "0") ?? [];
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/**
 * Whose process runs a module: nobody's, unless the pod or the image says another than root. Undefined where the pod
 * insists on root or on a name: the walls of such are containerd's.
 */
export function userOf(
  securityContext: Record<string, any>,
  { user }: Pick<ImageConfig, "user">,
): RunnerUser | undefined {
  const groups: number[] = [...(securityContext["supplementalGroups"] ?? [])];
  const { runAsUser, runAsGroup = 0 } = securityContext;
  // Root owns what of the kernel's files and of the site's is shown to be read.
  if (runAsUser === 0) return undefined;
  if (runAsUser !== undefined) return { uid: runAsUser, gid: runAsGroup, groups };
  const named = imageUser(user);
  if (!named) return undefined;
  return named.uid === 0 ? { uid: nobody, gid: nobody, groups } : { ...named, groups };
}
