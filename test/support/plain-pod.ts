// A pod as a runtime is asked for it, with nothing asked for: whoever tests or measures a runtime says what is special.
import type { ContainerConfig, SandboxConfig } from "../../src/node/runtime.ts";

export const plainSandbox = (
  podUid: string,
  own: Partial<SandboxConfig> & Pick<SandboxConfig, "logDirectory" | "cgroupParent">,
): SandboxConfig => ({
  podUid,
  namespace: "default",
  name: podUid,
  attempt: 0,
  hostname: podUid,
  labels: {},
  annotations: {},
  hostNetwork: false,
  hostPid: false,
  hostIpc: false,
  shareProcessNamespace: false,
  dns: { servers: [], searches: [], options: [] },
  sysctls: {},
  portMappings: [],
  securityContext: {},
  handler: "",
  ...own,
});

export const plainContainer = (
  image: string,
  own: Partial<ContainerConfig> = {},
): ContainerConfig => ({
  name: "main",
  attempt: 0,
  image,
  imageRef: image,
  command: [],
  args: [],
  workingDir: "",
  env: [],
  mounts: [],
  devices: [],
  labels: {},
  annotations: {},
  logPath: "main.log",
  stdin: false,
  stdinOnce: false,
  tty: false,
  resources: {},
  securityContext: {},
  ...own,
});
