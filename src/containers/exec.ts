// Commands in a running container, with streams. CRI's own streaming speaks an old protocol over a second
// connection; containerd's task API takes named pipes instead, which a process can open as files.
import { once } from "node:events";
import { constants, mkdirSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { sleep, systemClock } from "../lib/clock.ts";
import type { Streams } from "../lib/node-connection.ts";
import type { GrpcService } from "../lib/grpc.ts";
import { runCommand } from "../lib/run-command.ts";

export interface ExecServices {
  tasks: GrpcService;
  containers: GrpcService;
  /** A folder for pipes. */
  directory: string;
  newId: () => string;
}

interface Pipes {
  folder: string;
  stdin: string | undefined;
  stdout: string;
  stderr: string | undefined;
}

interface Size {
  width: number;
  height: number;
}

const sigKill = 9;
/** A client with a terminal tells its size at once; a command that starts before would see none. */
const sizeMsMax = 100;
const readerLooksMs = 2;

async function* sizesFrom(pending: Promise<IteratorResult<Size>>, sizes: AsyncIterator<Size>) {
  for (let one = await pending; !one.done; one = await sizes.next()) yield one.value;
}

/** The terminal's first size, when it comes in time, and those that follow. */
async function sizesOf({ resize }: Streams) {
  const sizes = resize?.[Symbol.asyncIterator]();
  if (!sizes) return { later: undefined };
  const next = sizes.next();
  const first = await Promise.race([next, sleep(systemClock, sizeMsMax)]);
  return {
    size: first?.done ? undefined : first?.value,
    later: sizesFrom(first ? sizes.next() : next, sizes),
  };
}

async function makePipes({ directory, newId }: ExecServices, tty: boolean, input: boolean) {
  const folder = join(directory, newId());
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = (name: string) => join(folder, name);
  const pipes: Pipes = {
    folder,
    stdin: input ? path("stdin") : undefined,
    stdout: path("stdout"),
    stderr: tty ? undefined : path("stderr"),
  };
  await runCommand(
    "mkfifo",
    [pipes.stdin, pipes.stdout, pipes.stderr].filter((p) => p !== undefined),
  );
  return pipes;
}

/**
 * Opens our end of a pipe for the event loop. Not to be read before the other end is open, since a pipe
 * without a writer is at its end.
 */
function openPipe(path: string, mode: number, options: { readable?: boolean; writable?: boolean }) {
  return new Socket({ fd: openSync(path, mode | constants.O_NONBLOCK), ...options });
}

async function drain(pipe: Socket, write: (chunk: Uint8Array) => Promise<void>) {
  for await (const chunk of pipe) await write(chunk as Uint8Array);
}

/** The container's own process, as the OCI runtime specification has it. */
async function processOf({ containers }: ExecServices, id: string): Promise<Record<string, any>> {
  const { container } = await containers.call("Get", { id });
  return JSON.parse(Buffer.from(container.spec.value).toString()).process;
}

/** containerd says that a command has started before it opens its end of the input. */
async function openInput(path: string, ended: AbortSignal) {
  for (;;) {
    try {
      return openPipe(path, constants.O_WRONLY, { writable: true, readable: false });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
    }
    await sleep(systemClock, readerLooksMs, ended);
  }
}

async function feed(
  { path, ended }: { path: string; ended: AbortSignal },
  input: AsyncIterable<Uint8Array>,
  done: () => Promise<void>,
) {
  const pipe = await openInput(path, ended);
  ended.addEventListener("abort", () => pipe.destroy(), { once: true });
  // The command may end before its input does.
  pipe.on("error", () => pipe.destroy());
  for await (const chunk of input) {
    if (pipe.destroyed) break;
    if (!pipe.write(chunk)) await Promise.race([once(pipe, "drain"), once(pipe, "close")]);
  }
  await new Promise<void>((resolve) => pipe.end(resolve));
  pipe.destroy();
  await done().catch(() => {});
}

/** Runs `command`; resolves with its exit code once all its output was handed over. */
export async function execInContainer(
  services: ExecServices,
  id: string,
  { command, tty }: { command: string[]; tty: boolean },
  streams: Streams,
): Promise<number> {
  const { tasks } = services;
  const exec_id = services.newId();
  const call = { container_id: id, exec_id };
  const { size, later } = tty ? await sizesOf(streams) : { later: undefined };
  const pipes = await makePipes(services, tty, streams.stdin !== undefined);
  try {
    const own = await processOf(services, id);
    const env = tty ? [...(own["env"] ?? []), "TERM=xterm"] : own["env"];
    const spec = {
      ...own,
      args: command,
      terminal: tty,
      env,
      ...(size && { consoleSize: size }),
    };
    await tasks.call("Exec", {
      ...call,
      stdin: pipes.stdin ?? "",
      stdout: pipes.stdout,
      stderr: pipes.stderr ?? "",
      terminal: tty,
      spec: {
        type_url: "types.containerd.io/opencontainers/runtime-spec/1/Process",
        value: Buffer.from(JSON.stringify(spec)),
      },
    });
    return await runExec(services, call, pipes, { ...streams, resize: later });
  } finally {
    await tasks.call("DeleteProcess", call).catch(() => {});
    rmSync(pipes.folder, { recursive: true, force: true });
  }
}

async function runExec(
  { tasks }: ExecServices,
  call: { container_id: string; exec_id: string },
  pipes: Pipes,
  streams: Streams,
): Promise<number> {
  const outputs = [{ path: pipes.stdout, write: streams.stdout }];
  if (pipes.stderr) outputs.push({ path: pipes.stderr, write: streams.stderr });
  const pipesOut = outputs.map(({ path, write }) => ({
    pipe: openPipe(path, constants.O_RDONLY, { readable: true, writable: false }),
    write,
  }));
  const ended = new AbortController();
  const kill = () => void tasks.call("Kill", { ...call, signal: sigKill }).catch(() => {});
  try {
    await tasks.call("Start", call);
    streams.signal.addEventListener("abort", kill, { once: true });
    if (streams.signal.aborted) kill();
    const drained = pipesOut.map(({ pipe, write }) => drain(pipe, write).catch(() => {}));
    if (pipes.stdin && streams.stdin) {
      const closeInput = () => tasks.call("CloseIO", { ...call, stdin: true });
      const input = { path: pipes.stdin, ended: ended.signal };
      void feed(input, streams.stdin, closeInput).catch(() => {});
    }
    void followSize(tasks, call, streams.resize);
    const { exit_status } = await tasks.call("Wait", call);
    await Promise.all(drained);
    return exit_status;
  } finally {
    ended.abort();
    for (const { pipe } of pipesOut) pipe.destroy();
    streams.signal.removeEventListener("abort", kill);
  }
}

async function followSize(
  tasks: GrpcService,
  call: object,
  sizes: Streams["resize"],
): Promise<void> {
  for await (const size of sizes ?? []) {
    await tasks.call("ResizePty", { ...call, ...size }).catch(() => {});
  }
}
