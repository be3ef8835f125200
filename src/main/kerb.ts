// The command line's one assembly: which commands there are and what they are connected to. What a command
// needs is loaded when it runs, so `kerb version` costs nothing.
import { Command, CommanderError } from "commander";
import { attachCommand } from "../cli/attach.ts";
import { authorityCommand } from "../cli/authority.ts";
import { backupCommand } from "../cli/backup.ts";
import { configureCommand } from "../cli/configure.ts";
import { detachCommand } from "../cli/detach.ts";
import { doctorCommand } from "../cli/doctor.ts";
import { downCommand } from "../cli/down.ts";
import { handlerCommand } from "../cli/handler.ts";
import { imageCommand } from "../cli/image.ts";
import { joinCommand } from "../cli/join.ts";
import { kubeconfigCommand } from "../cli/kubeconfig.ts";
import { restoreCommand } from "../cli/restore.ts";
import { runCommand } from "../cli/run.ts";
import { secretsCommand } from "../cli/secrets.ts";
import { statusCommand } from "../cli/status.ts";
import { tokenCommand } from "../cli/token.ts";
import { updateCommand, watchReleaseCommand } from "../cli/update.ts";
import { upCommand } from "../cli/up.ts";
import { versionCommand } from "../cli/version.ts";
import { holdOpen } from "../lib/clock.ts";
import { defaultDataDirectory, kerbVersion, kubernetesVersion, logLevel } from "./config.ts";
import { refusedWings, wings } from "./wings/wings.ts";

const wingSummaries = Object.fromEntries(
  Object.entries(wings).map(([name, { summary }]) => [name, summary]),
);

function program(): Command {
  const directory = defaultDataDirectory();
  const kerb = new Command("kerb")
    .description("Kerb: Kubernetes at the edge, in one small process.")
    .exitOverride()
    .showHelpAfterError("(kerb --help lists the commands)")
    .addHelpText(
      "after",
      "\nStart here: kerb up, then kubectl --kubeconfig DIR/kubeconfig get nodes\n" +
        "kerb COMMAND --help shows what it takes, with examples.",
    );
  const commands = [
    upCommand(directory, async (options) => (await import("./commands/up.ts")).up(options)),
    downCommand(directory, async (options) => (await import("./commands/down.ts")).down(options)),
    tokenCommand(directory, {
      create: async (options) => (await import("./commands/token.ts")).createToken(options),
    }),
    joinCommand(directory, async (...args) => (await import("./node/join.ts")).joinSite(...args)),
    attachCommand(directory, async (...args) =>
      (await import("./commands/attach.ts")).attachSite(...args),
    ),
    runCommand({ summaries: wingSummaries, refused: refusedWings }, async (options) =>
      (await import("./commands/run.ts")).run(options),
    ),
    handlerCommand(async (...args) => (await import("./commands/handler.ts")).serveOne(...args)),
    detachCommand(directory, async (options) =>
      (await import("./commands/detach.ts")).detachSite(options),
    ),
    kubeconfigCommand(directory, async (options) =>
      (await import("./commands/kubeconfig.ts")).kubeconfigText(options),
    ),
    statusCommand(directory, async (dir) => (await import("./site/site-state.ts")).siteState(dir)),
    doctorCommand(directory, async (dir) => (await import("./commands/doctor.ts")).examine(dir)),
    imageCommand(directory, {
      import: async (...args) => (await import("./commands/images.ts")).importImages(...args),
      list: async (dir) => (await import("./commands/images.ts")).listImages(dir),
      remove: async (...args) => (await import("./commands/images.ts")).removeImage(...args),
    }),
    backupCommand(directory, async (...args) =>
      (await import("./backup/backup.ts")).backupSite(...args),
    ),
    restoreCommand(directory, async (...args) =>
      (await import("./backup/restore.ts")).restoreSite(...args),
    ),
    secretsCommand(directory, {
      state: async (dir) => (await import("./commands/secrets.ts")).secretsState(dir),
      rotate: async (...args) => (await import("./commands/secrets.ts")).rotateSecrets(...args),
    }),
    authorityCommand(directory, {
      state: async (dir) => (await import("./commands/authority.ts")).authorityState(dir),
      advance: async (dir) => (await import("./commands/authority.ts")).advanceAuthority(dir),
      abandon: async (dir) => (await import("./commands/authority.ts")).abandonAuthority(dir),
      async *rotate(...args) {
        yield* (await import("./commands/authority.ts")).rotateAuthority(...args);
      },
    }),
    configureCommand(directory, async (...args) =>
      (await import("./configuration/configure.ts")).configureSite(...args),
    ),
    updateCommand(directory, async (...args) =>
      (await import("./releases/update.ts")).updateSite(...args),
    ),
    watchReleaseCommand(directory, async (...args) =>
      (await import("./releases/watch.ts")).watchRelease(...args),
    ),
    versionCommand({
      kerb: kerbVersion,
      kubernetes: kubernetesVersion,
      node: process.version,
    }),
  ];
  for (const command of commands) {
    teach(command, kerb, `kerb ${command.name()}`);
    kerb.addCommand(command, { hidden: command.name() === "watch-release" });
  }
  return kerb;
}

/** What a command refuses, and those below it, ends with where to read on. */
function teach(command: Command, parent: Command, path: string) {
  command.copyInheritedSettings(parent);
  command.showHelpAfterError(`(${path} --help says what there is)`);
  for (const one of command.commands) teach(one, command, `${path} ${one.name()}`);
}

/** What Node says of files is for programmers. */
function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code = "", path, message } = error as NodeJS.ErrnoException;
  const said = path === undefined ? undefined : fileTroubles[code];
  return said ? `${path} ${said}` : message;
}

const fileTroubles: Record<string, string> = {
  ENOENT: "does not exist",
  EISDIR: "is a folder; a file is needed",
  ENOTDIR: "lies below a file; a folder is needed",
  EACCES: "may not be read or written by this user; Kerb is at home as root",
};

/** `kerb up | head` reads some lines and goes. */
function ignoreClosedPipe(error: NodeJS.ErrnoException) {
  if (error.code !== "EPIPE") throw error;
}

/** Runs one command line; resolves with the exit code. Errors are one clear sentence on stderr. */
export async function main(args: string[]): Promise<number> {
  // A command may wait on nothing but a timer or an idle connection, neither of which keeps Node alive.
  const release = holdOpen();
  process.stdout.on("error", ignoreClosedPipe);
  try {
    await program().parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    console.error(`kerb: ${sentenceOf(error)}`);
    if (logLevel === "debug" && error instanceof Error) console.error(error.stack);
    return 1;
  } finally {
    release();
  }
}
