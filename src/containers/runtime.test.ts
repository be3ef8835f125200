// The containerd runtime against a containerd of its own, with pods on the machine's own network.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { Mailbox } from "../lib/mailbox.ts";
import { silent } from "../lib/log.ts";
import { holdOpen, systemClock } from "../lib/clock.ts";
import { systemMounts } from "../node/machine/mounts.ts";
import type { ContainerConfig } from "../node/runtime.ts";
import { plainContainer, plainSandbox } from "../../test/support/plain-pod.ts";
import { containerdPid, startContainerd, stopContainerd } from "./containerd.ts";
import { ensurePauseImage, importArchive } from "./images.ts";
import { ociArchive } from "./oci-archive.ts";
import { ociArchitecture } from "./pause.ts";
import { connectContainerd } from "./runtime.ts";
import type { ContainerdRuntime } from "./runtime.ts";

const binary = "/usr/bin/containerd";
const runc = "/usr/sbin/runc";
const busybox = "/bin/busybox";
const able = process.getuid?.() === 0 && [binary, runc, busybox].every((path) => existsSync(path));
const skip = able ? false : "needs root, containerd, runc and busybox-static";
const options = { skip, timeout: 300_000 };

let directory: string;
let runtime: ContainerdRuntime;
let release: () => void;

const paths = () => ({ binary, runc, cniPlugins: "/usr/lib/cni", directory });

before(async () => {
  if (skip) return;
  release = holdOpen();
  directory = mkdtempSync("/tmp/kerb-containerd-");
  await startContainerd(paths(), systemClock);
  runtime = await connectContainerd(directory, silent);
  await ensurePauseImage(directory, runtime);
  const archive = join(directory, "busybox.tar");
  const tools = ["sh", "cat", "echo", "httpd", "sleep", "stty", "true"];
  writeFileSync(
    archive,
    ociArchive({
      name: "docker.io/library/tools:1",
      architecture: ociArchitecture(process.arch),
      files: [
        { path: "bin/", type: "directory" },
        { path: "bin/busybox", data: readFileSync(busybox), mode: 0o755 },
        ...tools.map((name) => ({
          path: `bin/${name}`,
          type: "symlink" as const,
          link: "/bin/busybox",
        })),
      ],
      command: ["sh"],
    }),
  );
  assert.deepEqual(await importArchive(directory, archive), ["docker.io/library/tools:1"]);
});

after(async () => {
  if (skip) return;
  for (const pod of (await runtime?.pods())?.values() ?? []) {
    for (const { id } of pod.sandboxes) {
      await runtime.stopSandbox(id);
      await runtime.removeSandbox(id);
    }
  }
  await runtime?.close();
  await stopContainerd(directory, systemClock);
  rmSync(directory, { recursive: true, force: true });
  release();
});

const sandbox = (podUid: string) =>
  plainSandbox(podUid, {
    name: `pod-${podUid}`,
    hostname: "",
    hostNetwork: true,
    logDirectory: join(directory, "logs", podUid),
    cgroupParent: `/kerb-test-${process.pid}/pod${podUid}`,
  });

const container = (script: string, more: Partial<ContainerConfig> = {}) =>
  plainContainer("tools:1", {
    command: ["sh", "-c", script],
    env: [{ name: "GREETING", value: "hello" }],
    logPath: "main/0.log",
    resources: { cpuShares: 10, memoryBytes: 64 * 2 ** 20 },
    ...more,
  });

/** Starts a pod of one container; resolves with its ids. */
async function start(uid: string, script: string, more: Partial<ContainerConfig> = {}) {
  const config = sandbox(uid);
  const sandboxId = await runtime.runSandbox(config);
  const id = await runtime.createContainer(sandboxId, container(script, more), config);
  await runtime.startContainer(id);
  return { sandboxId, id };
}

/** Resolves with the pod once its one container has exited. */
async function exited(uid: string) {
  let wake = () => {};
  const stop = runtime.onChange(() => wake());
  try {
    for (;;) {
      const changed = new Promise<void>((resolve) => (wake = resolve));
      const pod = await runtime.pod(uid);
      if (pod?.containers[0]?.state === "exited") return pod.containers[0];
      await changed;
    }
  } finally {
    stop();
  }
}

/** Waits in a shell until its terminal has a size. */
const whenSized = 'until s=$(stty size 2>/dev/null) && [ -n "$s" ]; do :; done';

/** The far end of an exec or attach. */
function terminal(input?: string[]) {
  const said = { out: "", err: "" };
  const heard = new Mailbox<string>();
  const gone = new AbortController();
  const stdin = new Mailbox<Uint8Array>();
  const sizes = new Mailbox<{ width: number; height: number }>();
  for (const line of input ?? []) stdin.put(Buffer.from(line));
  return {
    said,
    stdin,
    sizes,
    gone,
    streams: {
      stdin: input && stdin,
      stdout: async (chunk: Uint8Array) => {
        said.out += Buffer.from(chunk).toString();
        heard.put(said.out);
      },
      stderr: async (chunk: Uint8Array) => {
        said.err += Buffer.from(chunk).toString();
      },
      resize: sizes,
      signal: gone.signal,
    },
    /** Resolves once stdout holds `text`. */
    async hears(text: string) {
      if (said.out.includes(text)) return;
      for await (const all of heard) if (all.includes(text)) return;
    },
  };
}

test("a container runs to its end, and its log and exit code are kept", options, async () => {
  await start("end", "echo $GREETING; exit 3");
  const ended = await exited("end");
  assert.equal(ended.logPath, join(sandbox("end").logDirectory, "main/0.log"));
  assert.equal(ended.exitCode, 3);
  assert.equal(ended.image, "tools:1");
  const log = readFileSync(join(directory, "logs/end/main/0.log"), "utf8");
  assert.match(log, /^\S+ stdout F hello$/m);
});

test("exec carries input, both outputs and the exit code", options, async () => {
  const { id } = await start("exec", "exec sleep 600");
  const far = terminal(["abc"]);
  far.stdin.end();
  const script = "cat; echo $GREETING; echo bad >&2; exit 7";
  assert.equal(await runtime.exec(id, ["sh", "-c", script], false, far.streams), 7);
  assert.deepEqual(far.said, { out: "abchello\n", err: "bad\n" });
});

test("exec in a terminal knows its size", options, async () => {
  const { id } = await start("tty", "exec sleep 600");
  const far = terminal([]);
  far.sizes.put({ width: 91, height: 17 });
  assert.equal(await runtime.exec(id, ["stty", "size"], true, far.streams), 0);
  assert.match(far.said.out, /17 91/);
});

test("a command whose caller leaves is killed", options, async () => {
  const { id } = await start("leave", "exec sleep 600");
  const far = terminal();
  const ended = runtime.exec(id, ["sh", "-c", "echo up; exec sleep 600"], false, far.streams);
  await far.hears("up");
  far.gone.abort();
  assert.equal(await ended, 137);
});

test("exec for a probe ends when its time is over", options, async () => {
  const { id } = await start("sync", "exec sleep 600");
  const good = await runtime.execSync(id, ["echo", "x"], 5000);
  assert.equal(Buffer.from(good.stdout).toString(), "x\n");
  await assert.rejects(runtime.execSync(id, ["sleep", "60"], 1000));
});

test("attach talks with the container itself", options, async () => {
  const { id } = await start("attach", 'while read l; do echo "got $l"; done; echo done', {
    stdin: true,
    stdinOnce: true,
  });
  const far = terminal(["one\n"]);
  const ended = runtime.attach(id, false, far.streams);
  await far.hears("got one");
  far.stdin.put(Buffer.from("two\n"));
  far.stdin.end();
  await ended;
  assert.match(far.said.out, /got one\ngot two\ndone\n/);
});

test("attach to a terminal shows a prompt before its line ends", options, async () => {
  const script = `${whenSized}; echo $s; printf 'name? '; read n; echo hi $n`;
  const { id } = await start("prompt", script, { stdin: true, tty: true });
  const far = terminal([]);
  far.sizes.put({ width: 77, height: 11 });
  const ended = runtime.attach(id, true, far.streams);
  await far.hears("name? ");
  far.stdin.put(Buffer.from("bob\n"));
  await ended;
  assert.match(far.said.out, /11 77\r\nname\? bob\r\nhi bob\r\n/);
});

test("who leaves an attach leaves the container running", options, async () => {
  const { id } = await start("detach", "while true; do echo tick; sleep 1; done");
  const far = terminal();
  const ended = runtime.attach(id, false, far.streams);
  await far.hears("tick");
  far.gone.abort();
  await ended;
  assert.equal((await runtime.pod("detach"))!.containers[0]!.state, "running");
});

/** Dials until the program in the pod listens. */
async function dial(sandboxId: string, port: number) {
  for (;;) {
    const stream = await runtime.portForward(sandboxId, port).catch(() => undefined);
    if (stream) return stream;
  }
}

test("a port is reached inside the pod's own network", options, async () => {
  const { sandboxId } = await start("port", "exec httpd -f -p 127.0.0.1:18080 -h /bin");
  await assert.rejects(runtime.portForward(sandboxId, 18081), /cannot reach port 18081/);
  const page = await dial(sandboxId, 18080);
  page.write("GET /none HTTP/1.0\r\n\r\n");
  assert.match(await text(page), /^HTTP\/1\.\d 404 /);
});

test("a runtime that comes back finds what runs", options, async () => {
  const { id } = await start("adopt", "exec sleep 600");
  await startContainerd(paths(), systemClock);
  const again = await connectContainerd(directory, silent);
  const pod = await again.pod("adopt");
  assert.equal(pod!.containers[0]!.id, id);
  assert.equal(pod!.containers[0]!.state, "running");
  await again.close();
});

test("containerd's own death does not end containers", options, async () => {
  const { id } = await start("survive", "exec sleep 600");
  const before = containerdPid(directory)!;
  await stopContainerd(directory, systemClock);
  await startContainerd(paths(), systemClock);
  assert.notEqual(containerdPid(directory), before);
  await runtime.close();
  runtime = await connectContainerd(directory, silent);
  const pod = await runtime.pod("survive");
  assert.equal(pod!.containers[0]!.id, id);
  assert.equal(pod!.containers[0]!.state, "running");
});

test(
  "a view shows an image's files and keeps them when the image's name goes",
  options,
  async () => {
    assert.equal(await runtime.viewOf("u9/data"), undefined);
    const view = await runtime.viewImage("u9/data", "tools:1");
    assert.deepEqual(await runtime.viewImage("u9/data", "tools:1"), view);
    assert.deepEqual(await runtime.viewOf("u9/data"), view);
    const path = join(directory, "shown");
    await systemMounts.mount(path, view);
    assert.equal(existsSync(join(path, "bin/busybox")), true);
    assert.throws(() => writeFileSync(join(path, "bin/new"), "x"), /EROFS/);
    await systemMounts.unmountBelow(path);
    await runtime.dropView("u9/data");
    await runtime.dropView("u9/data");
    assert.equal(await runtime.viewOf("u9/data"), undefined);
    await assert.rejects(runtime.viewImage("u9/data", "nothing:1"), /nothing:1 is not there/);
  },
);
