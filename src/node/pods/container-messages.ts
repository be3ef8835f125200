// The last words of ended containers, read once each.
import { join } from "node:path";
import { terminationPathIn } from "./container-config.ts";
import type { AgentContext } from "../context.ts";
import { logDirectory, logPath, podDirectory } from "../directories.ts";
import { readTerminationFile } from "./host-files.ts";
import { hasExited } from "./instances.ts";
import type { Instances } from "./instances.ts";
import { tailText } from "../logs/logs.ts";
import { allContainers } from "./pod.ts";
import type { Pod } from "./pod.ts";

const logLines = 80;
const logBytesMax = 2048;

/** Adds what is missing to `messages`, by container id. */
export async function readMessages(
  { directories }: AgentContext,
  pod: Pod,
  instances: Instances,
  messages: Map<string, string>,
) {
  const directory = podDirectory(directories, pod.metadata.uid);
  for (const { name, terminationMessagePolicy } of allContainers(pod)) {
    for (const instance of [instances.newest.get(name), instances.previous.get(name)]) {
      if (!hasExited(instance) || instance!.remembered || messages.has(instance!.id)) continue;
      const { attempt, exitCode, id } = instance!;
      let text = await readTerminationFile(terminationPathIn(directory, name, attempt));
      if (!text && exitCode !== 0 && terminationMessagePolicy === "FallbackToLogsOnError") {
        const path = join(logDirectory(directories, pod), logPath(name, attempt));
        text = await tailText(path, logLines, logBytesMax).catch(() => "");
      }
      messages.set(id, text);
    }
  }
}
