import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Client } from "../../client/client.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { FakeRuntime } from "../fake-runtime.ts";
import { noMounts } from "../machine/mounts.ts";
import type { Objects } from "../objects.ts";
import type { Pod } from "../pods/pod.ts";
import { writeAtomically } from "./atomic-writer.ts";
import { openSubPath } from "./sub-path.ts";
import { forgetHeld, readHeld, writeHeld } from "./held.ts";
import { typeNamed, volumeType } from "./types.ts";
import { VolumeError } from "./volume.ts";
import type { VolumeContext } from "./volume.ts";

let root: string;
before(() => (root = mkdtempSync("/tmp/kerb-volumes-")));
after(() => rmSync(root, { recursive: true }));

let counter = 0;
const folder = () => join(root, String((counter += 1)));
const isRoot = process.getuid?.() === 0;

const files = (contents: Record<string, string>, mode = 0o644) =>
  new Map(
    Object.entries(contents).map(([path, text]) => [path, { content: Buffer.from(text), mode }]),
  );

interface Scene {
  volume: object;
  objects?: Partial<Objects>;
  client?: object;
  spec?: object;
  path?: string;
  clock?: FakeClock;
  more?: Partial<VolumeContext>;
}

function prepare({
  volume,
  objects = {},
  client = {},
  spec = {},
  path = folder(),
  clock,
  more,
}: Scene) {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "shop", uid: "u1", labels: { app: "web" } },
    spec: { containers: [], ...spec },
  } as unknown as Pod;
  const declared = { name: "data", ...volume };
  return volumeType(declared).prepare({
    pod,
    volume: declared,
    client: client as Client,
    objects: { configMap: () => undefined, secret: () => undefined, ...objects } as Objects,
    facts: { nodeName: "edge", hostIps: ["192.0.2.9"], allocatable: { cpu: "2" } },
    podIps: ["10.1.0.5"],
    mounts: noMounts,
    runtime: new FakeRuntime({ clock: clock ?? new FakeClock() }),
    pull: async ({ image }) => image,
    hold: async () => {},
    csi: undefined,
    isAgain: false,
    ...more,
    clock: clock ?? new FakeClock(),
    localVolumes: path,
    onDisk: path,
    inMemory: path,
  });
}

const object = (data: object): any => ({ metadata: { name: "x" }, ...data });
async function subPathIn(...args: Parameters<typeof openSubPath>) {
  const place = await openSubPath(...args);
  const path = readlinkSync(`/proc/self/fd/${place.fd}`);
  await place.close();
  return path;
}

const read = (path: string, name: string) => readFileSync(join(path, name), "utf8");

test("a volume's files change all at once, behind one link", async () => {
  const path = folder();
  assert.equal(writeAtomically(path, files({ a: "1", "sub/b": "2" })), true);
  const first = readlinkSync(join(path, "..data"));
  assert.equal(read(path, "a"), "1");
  assert.equal(read(path, "sub/b"), "2");
  assert.equal(readlinkSync(join(path, "a")), "..data/a");
  assert.equal(writeAtomically(path, files({ a: "1", "sub/b": "2" })), false);
  assert.equal(readlinkSync(join(path, "..data")), first);
  assert.equal(writeAtomically(path, files({ a: "3", c: "4" })), true);
  assert.deepEqual(
    readdirSync(path).filter((name) => !name.startsWith("..")),
    ["a", "c"],
  );
  assert.equal(existsSync(join(path, first)), false);
  assert.equal(read(path, "a"), "3");
});

test("files of a group are written once and stay", { skip: !isRoot }, async () => {
  const path = folder();
  assert.equal(writeAtomically(path, files({ token: "x" }, 0o600), 2000), true);
  const { mode, gid } = statSync(join(path, "token"));
  assert.deepEqual([mode & 0o777, gid], [0o640, 2000]);
  assert.equal(writeAtomically(path, files({ token: "x" }, 0o600), 2000), false);
});

test("a ConfigMap becomes files, all or those chosen, with their modes", async () => {
  const objects = {
    configMap: () => object({ data: { a: "1", b: "2" }, binaryData: { c: "AAE=" } }),
  };
  const all = await prepare({ volume: { configMap: { name: "x" } }, objects });
  assert.equal(all.readOnly, true);
  assert.equal(read(all.hostPath, "b"), "2");
  assert.deepEqual(readFileSync(join(all.hostPath, "c")), Buffer.from([0, 1]));
  const items = [{ key: "a", path: "deep/one", mode: 0o400 }];
  const some = await prepare({ volume: { configMap: { name: "x", items } }, objects });
  assert.equal(statSync(join(some.hostPath, "deep/one")).mode & 0o777, 0o400);
  assert.equal(existsSync(join(some.hostPath, "b")), false);
});

test("what is missing or leads astray is refused, what is optional is not", async () => {
  const rows: [object, string | undefined][] = [
    [{ configMap: { name: "x" } }, 'configmap "x" not found'],
    [{ configMap: { name: "x", optional: true } }, undefined],
    [{ secret: { secretName: "x" } }, 'secret "x" not found'],
    [{ nfs: { server: "s", path: "/" } }, "volume data: type nfs is not supported"],
    [{ emptyDir: { medium: "Disk" } }, 'emptyDir.medium "Disk" is not supported'],
    [{ hostPath: { path: "/etc/passwd", type: "Directory" } }, "not a directory"],
  ];
  for (const [volume, message] of rows) {
    const made = async () => prepare({ volume });
    if (message === undefined) assert.deepEqual(readdirSync((await made()).hostPath).length, 2);
    else {
      await assert.rejects(
        made(),
        (error: Error) => error instanceof VolumeError && error.message.includes(message),
        message,
      );
    }
  }
  const objects = { secret: () => object({ data: { k: "eA==" } }) };
  const outside = { secret: { secretName: "x", items: [{ key: "k", path: "../out" }] } };
  await assert.rejects(prepare({ volume: outside, objects }), VolumeError);
});

test("an emptyDir keeps the mode its containers gave it", async () => {
  const path = folder();
  await prepare({ volume: { emptyDir: {} }, path });
  assert.equal(statSync(path).mode & 0o777, 0o777);
  chmodSync(path, 0o700);
  await prepare({ volume: { emptyDir: {} }, path });
  assert.equal(statSync(path).mode & 0o777, 0o700);
});

test("the downward API shows labels and resources", async () => {
  const items = [
    { path: "labels", fieldRef: { fieldPath: "metadata.labels" } },
    { path: "cpu", resourceFieldRef: { containerName: "c", resource: "limits.cpu" } },
  ];
  const spec = { containers: [{ name: "c", image: "i" }] };
  const { hostPath } = await prepare({ volume: { downwardAPI: { items } }, spec });
  assert.equal(read(hostPath, "labels"), 'app="web"');
  assert.equal(read(hostPath, "cpu"), "2");
});

test("a token is asked for once and again when most of its time has passed", async () => {
  const clock = new FakeClock();
  const asked: any[] = [];
  const client = {
    create: (target: object, request: any) => {
      asked.push({ target, request });
      const expirationTimestamp = new Date(clock.now() + 3600_000).toISOString();
      return Promise.resolve({ status: { token: `t${asked.length}`, expirationTimestamp } });
    },
  };
  const token = { serviceAccountToken: { path: "token", expirationSeconds: 3600 } };
  const root = { configMap: { name: "root", items: [{ key: "ca.crt", path: "ca.crt" }] } };
  const volume = { projected: { sources: [token, root], defaultMode: 0o644 } };
  const objects = { configMap: () => object({ data: { "ca.crt": "CA" } }) };
  const scene = { volume, client, clock, objects, path: folder() };
  const made = await prepare(scene);
  assert.equal(made.refreshAt, clock.now() + 2880_000);
  assert.equal(read(made.hostPath, "token"), "t1");
  assert.equal(read(made.hostPath, "ca.crt"), "CA");
  assert.equal(asked[0].request.spec.boundObjectRef.uid, "u1");
  await prepare(scene);
  assert.equal(asked.length, 1);
  clock.jumpTo(clock.now() + 2880_001);
  await prepare(scene);
  assert.equal(read(made.hostPath, "token"), "t2");
});

test("a subPath cannot leave its volume, whatever links lie in it", async () => {
  const path = folder();
  mkdirSync(path);
  symlinkSync("/etc", join(path, "etc"));
  symlinkSync(".", join(path, "self"));
  chmodSync(path, 0o2770);
  assert.equal(await subPathIn(path, "a/b"), join(path, "a/b"));
  for (const made of ["a", "a/b"])
    assert.equal(statSync(join(path, made)).mode & 0o7777, 0o2770, "whoever may use the volume");
  assert.equal(lstatSync(join(path, "a/b")).isDirectory(), true);
  assert.equal(await subPathIn(path, "self/a"), join(path, "a"));
  for (const bad of ["../x", "/x", "a/../../x", "etc/passwd", "etc"]) {
    await assert.rejects(subPathIn(path, bad), VolumeError, bad);
  }
});

test("an image volume is a read-only view that its pod holds until it is given back", async () => {
  const runtime = new FakeRuntime({ clock: new FakeClock() });
  const pulled: object[] = [];
  const held: object[] = [];
  const scene = {
    volume: { image: { reference: "disk:1", pullPolicy: "Never" } },
    more: {
      runtime,
      pull: async (image: object) => `sha256:${pulled.push(image)}`,
      hold: async (details: object) => void held.push(details),
    },
  };
  const made = await prepare(scene);
  assert.deepEqual([made.readOnly, made.isReadOnlyInside], [true, true]);
  assert.deepEqual(pulled, [{ image: "disk:1", imagePullPolicy: "Never" }]);
  assert.deepEqual(held, [{ key: "u1/data" }]);
  await prepare(scene);
  assert.equal(pulled.length, 1, "what is there is not asked for again");
  const isHeldByOthers = async () => false;
  const context = {
    runtime,
    mounts: noMounts,
    client: {} as Client,
    csi: undefined,
    isHeldByOthers,
  };
  await typeNamed("image")!.release!(context, { type: "image", key: "u1/data" });
  assert.equal(runtime.views.size, 0);
  await assert.rejects(prepare({ volume: { image: {} } }), /volume data: image.reference is empty/);
});

test("what a volume holds is on disk until it is forgotten", async () => {
  const path = folder();
  assert.equal((await readHeld(path)).size, 0);
  await writeHeld(path, "data", { type: "image", key: "u1/data" });
  assert.deepEqual([...(await readHeld(path))], [["data", { type: "image", key: "u1/data" }]]);
  await forgetHeld(path, "data");
  assert.equal((await readHeld(path)).size, 0);
});

test("a path within a volume that takes no files must be there", async () => {
  const path = folder();
  mkdirSync(join(path, "a"), { recursive: true });
  assert.equal(await subPathIn(path, "a", { mayMake: false }), join(path, "a"));
  await assert.rejects(subPathIn(path, "a/b", { mayMake: false }), /"a\/b" is not in its volume/);
  assert.equal(existsSync(join(path, "a/b")), false);
});
