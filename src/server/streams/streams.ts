// Puts the streaming subresources of pods into a server.
import { badRequest } from "../../lib/status-error.ts";
import type { Plugs, SubresourceHandler } from "../policy.ts";
import { podLogSocket } from "./log-socket.ts";
import { podLog } from "./logs.ts";
import { podPortForward } from "./port-forward.ts";
import { remoteCommand } from "./remote-command.ts";

const upgradeRequired: SubresourceHandler = async () => {
  throw badRequest("Upgrade request required");
};

export function plugStreams({ subresources, upgrades }: Plugs) {
  subresources.set("pods/log", podLog);
  upgrades.set("pods/log", podLogSocket);
  const handlers = {
    "pods/exec": remoteCommand("exec"),
    "pods/attach": remoteCommand("attach"),
    "pods/portforward": podPortForward,
  };
  for (const [name, handler] of Object.entries(handlers)) {
    upgrades.set(name, handler);
    subresources.set(name, upgradeRequired);
  }
}
