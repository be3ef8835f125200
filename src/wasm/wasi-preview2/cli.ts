// wasi:cli: arguments, environment, streams and the end.
import { OpenFile } from "../files/open-file.ts";
import { InputStream, OutputStream } from "./streams.ts";
import type { Sink, Source } from "./streams.ts";

export interface CliOptions {
  args: string[];
  env: Record<string, string>;
  /** Ends the guest; does not return. */
  exit: (code: number) => never;
  /** Where its output goes; absent: to the process's own. */
  output?: (fd: number) => OpenFile;
}

class TerminalInput {}
class TerminalOutput {}

function fileSource(file: OpenFile): Source {
  return {
    read(length) {
      const into = new Uint8Array(length);
      const count = file.read(into);
      return count === 0 && length > 0 ? undefined : into.subarray(0, count);
    },
  };
}

function fileSink(file: OpenFile): Sink {
  return {
    write(bytes) {
      for (let at = 0; at < bytes.length;) at += file.write(bytes.subarray(at));
    },
  };
}

/** Streams of the process, made when they are asked for. */
function stream(fd: number) {
  const [readable, writable] = [fd === 0, fd !== 0];
  return new OpenFile(fd, { readable, writable, isStream: true });
}

export function cliInterfaces({ args, env, exit, output: fileOf = stream }: CliOptions) {
  const output = (fd: number) => new OutputStream(fileSink(fileOf(fd)));
  const terminal = (fd: number) =>
    fileOf(fd).kind === "character" ? new TerminalOutput() : undefined;
  return {
    "wasi:cli/environment": {
      getEnvironment: () => Object.entries(env),
      getArguments: () => args,
      initialCwd: () => undefined,
    },
    "wasi:cli/exit": {
      exit: ({ tag }: { tag: string }) => exit(tag === "ok" ? 0 : 1),
      exitWithCode: (code: number) => exit(code),
    },
    "wasi:cli/stdin": { getStdin: () => new InputStream(fileSource(stream(0))) },
    "wasi:cli/stdout": { getStdout: () => output(1) },
    "wasi:cli/stderr": { getStderr: () => output(2) },
    "wasi:cli/terminal-input": { TerminalInput },
    "wasi:cli/terminal-output": { TerminalOutput },
    "wasi:cli/terminal-stdin": {
      getTerminalStdin: () => (stream(0).kind === "character" ? new TerminalInput() : undefined),
    },
    "wasi:cli/terminal-stdout": { getTerminalStdout: () => terminal(1) },
    "wasi:cli/terminal-stderr": { getTerminalStderr: () => terminal(2) },
  };
}
