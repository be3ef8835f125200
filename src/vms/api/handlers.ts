// Which handler answers for which action, by method.
import { kubevirtVersion } from "../version.ts";
import type { Handler, StreamHandler } from "./handler.ts";
import { evacuateCancel } from "./handlers/evacuate.ts";
import { expandSpec, expandVmSpec } from "./handlers/expand.ts";
import { filesystemlist, guestosinfo, screenshot, userlist } from "./handlers/guest.ts";
import { memorydump, removememorydump } from "./handlers/memory-dump.ts";
import { migrate } from "./handlers/migrate.ts";
import { objectgraph } from "./handlers/object-graph.ts";
import { freeze, pause, reset, softreboot, unfreeze, unpause } from "./handlers/pause.ts";
import { sevRefused, vsockStream } from "./handlers/refused.ts";
import { restart, start, stop } from "./handlers/run.ts";
import { console, portforward, usbredir, vnc } from "./handlers/streams.ts";
import { addvolume, removevolume } from "./handlers/volumes.ts";

const version: Handler = async () => {
  const [major, minor] = kubevirtVersion.slice(1).split(".");
  return {
    code: 200,
    json: {
      ...{ gitVersion: kubevirtVersion, gitCommit: "", gitTreeState: "clean", buildDate: "" },
      ...{ goVersion: "", compiler: "", platform: "linux/amd64", major, minor },
    },
  };
};

/** `virtctl guestfs` makes a pod of KubeVirt's own image, from where KubeVirt keeps it. */
const guestfs: Handler = async () => ({
  code: 200,
  json: { registry: "quay.io/kubevirt", tag: kubevirtVersion, imagePrefix: "" },
});

const healthz: Handler = async () => ({
  code: 200,
  json: { apiserver: { connectivity: "ok", version: kubevirtVersion } },
});

/** By `METHOD resource/action`; without a resource, `METHOD action`. */
export const handlers: Record<string, Handler> = {
  "GET version": version,
  "GET healthz": healthz,
  "GET guestfs": guestfs,
  "PUT expand-vm-spec": expandVmSpec,
  "GET virtualmachines/expand-spec": expandSpec,
  "GET virtualmachines/objectgraph": objectgraph,
  "GET virtualmachineinstances/objectgraph": objectgraph,
  "PUT virtualmachines/memorydump": memorydump,
  "PUT virtualmachines/removememorydump": removememorydump,
  "PUT virtualmachines/start": start,
  "PUT virtualmachines/stop": stop,
  "PUT virtualmachines/restart": restart,
  "PUT virtualmachines/migrate": migrate,
  "PUT virtualmachines/evacuate/cancel": evacuateCancel,
  "PUT virtualmachineinstances/evacuate/cancel": evacuateCancel,
  "PUT virtualmachines/addvolume": addvolume,
  "PUT virtualmachines/removevolume": removevolume,
  "PUT virtualmachineinstances/addvolume": addvolume,
  "PUT virtualmachineinstances/removevolume": removevolume,
  "PUT virtualmachineinstances/pause": pause,
  "PUT virtualmachineinstances/unpause": unpause,
  "PUT virtualmachineinstances/softreboot": softreboot,
  "PUT virtualmachineinstances/reset": reset,
  "PUT virtualmachineinstances/freeze": freeze,
  "PUT virtualmachineinstances/unfreeze": unfreeze,
  "GET virtualmachineinstances/guestosinfo": guestosinfo,
  "GET virtualmachineinstances/userlist": userlist,
  "GET virtualmachineinstances/filesystemlist": filesystemlist,
  "GET virtualmachineinstances/vnc/screenshot": screenshot,
  "GET virtualmachineinstances/sev/fetchcertchain": sevRefused,
  "GET virtualmachineinstances/sev/querylaunchmeasurement": sevRefused,
  "PUT virtualmachineinstances/sev/setupsession": sevRefused,
  "PUT virtualmachineinstances/sev/injectlaunchsecret": sevRefused,
};

export const streamHandlers: Record<string, StreamHandler> = {
  "virtualmachineinstances/console": console,
  "virtualmachineinstances/vnc": vnc,
  "virtualmachineinstances/usbredir": usbredir,
  "virtualmachineinstances/vsock": vsockStream,
  "virtualmachineinstances/portforward": portforward,
  "virtualmachines/portforward": portforward,
};
