// The images that the suite names, made of programs that are on this machine, so that a site without a
// registry can run them: `agnhost` and `sample-apiserver` built from Kubernetes' source lie in one folder;
// etcd and busybox are Debian's.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { ociArchive } from "../../src/containers/oci-archive.ts";
import { ociArchitecture } from "../../src/containers/pause.ts";
import type { TarEntry } from "../../src/containers/tar.ts";
import { run } from "../support/command.ts";
import { resolverFiles } from "../support/image.ts";

interface Content {
  name: string;
  files: TarEntry[];
  entrypoint?: string[];
  command?: string[];
}

const program = (path: string, from: string): TarEntry => ({
  path,
  data: readFileSync(from),
  mode: 0o755,
});
const script = (path: string, text: string): TarEntry => ({
  path,
  data: Buffer.from(`#!/bin/sh\n${text}\n`),
  mode: 0o755,
});

const directories = ["bin/", "etc/", "root/", "tmp/", "usr/", "usr/bin/", "var/", "home/"];
const users = [
  "root:x:0:0:root:/root:/bin/sh",
  "nobody:x:65534:65534:nobody:/:/bin/sh",
  "user-defined-in-image:x:1000:1000::/:/bin/sh",
  "",
].join("\n");
const userGroups = [
  "root:x:0:",
  "nobody:x:65534:",
  "user-defined-in-image:x:1000:",
  "group-defined-in-image:x:50000:user-defined-in-image",
  "",
].join("\n");

/** Debian's programs as they are on this machine, with the libraries they load, each under a folder of its own. */
async function bundled(...names: string[]): Promise<TarEntry[]> {
  const entries: TarEntry[] = [{ path: "usr/lib/", type: "directory" }];
  for (const name of names) {
    const path = `/usr/bin/${name}`;
    if (!existsSync(path)) continue;
    const folder = `usr/lib/${name}`;
    const libraries = (await run("ldd", [path])).match(/(?<==> )\/\S+/g) ?? [];
    const start = `exec /lib64/ld-linux-x86-64.so.2 --library-path /${folder} /${folder}/${name} "$@"`;
    entries.push(
      { path: `${folder}/`, type: "directory" },
      program(`${folder}/${name}`, path),
      ...libraries.map((from) => program(`${folder}/${basename(from)}`, from)),
      script(`usr/bin/${name}`, start),
    );
  }
  return entries;
}

/** The options of OpenBSD's that the suite gives and busybox does not know. */
const netcat = script(
  "usr/bin/nc",
  'for a; do shift; case "$a" in -v|-t) ;; *) set -- "$@" "$a";; esac; done\nexec busybox nc "$@"',
);

/** Debian's `netcat-openbsd`, which knows UDP; busybox's does not. */
const openbsdNetcat = "/usr/bin/nc.openbsd";

/** A small system: busybox under all its names. */
async function system(): Promise<TarEntry[]> {
  const busybox = "/usr/bin/busybox";
  const applets = (await run(busybox, ["--list"])).trim().split("\n");
  return [
    ...directories.map((path): TarEntry => ({
      path,
      type: "directory",
      mode: path === "tmp/" ? 0o1777 : 0o755,
    })),
    program("bin/busybox", busybox),
    ...applets
      .filter((name) => name !== "busybox")
      .map((name): TarEntry => ({ path: `bin/${name}`, type: "symlink", link: "busybox" })),
    { path: "etc/passwd", data: Buffer.from(users) },
    { path: "etc/group", data: Buffer.from(userGroups) },
    ...resolverFiles(),
  ];
}

const untilStopped = "trap 'exit 0' TERM INT";
const sleeper = script("pause", `${untilStopped}\nsleep 2147483647 &\nwait`);
const webServer = script(
  "serve",
  `${untilStopped}\nmkdir -p /www\necho 'Welcome to nginx!' >/www/index.html\nhttpd -f -p 80 -h /www &\nwait`,
);

const e2e = (name: string) => `registry.k8s.io/e2e-test-images/${name}`;

/** What the suite's update demo asks its pods for. */
const demo = script(
  "serve-demo",
  `${untilStopped}\nmkdir -p /www\necho '{"image": "nautilus.jpg"}' >/www/data.json\nhttpd -f -p 80 -h /www &\nwait`,
);

/** busybox's own shell drops variables whose names have a dash; Debian's static bash keeps them. */
function withBash(files: TarEntry[]): TarEntry[] {
  const bash = "/bin/bash-static";
  if (!existsSync(bash)) return files;
  return [...files.filter(({ path }) => path !== "bin/sh"), program("bin/sh", bash)];
}

/** The images; those whose programs `folder` lacks are left out. */
export async function suiteImages(folder: string): Promise<Content[]> {
  const base = await system();
  const images: Content[] = [
    { name: e2e("busybox:1.37.0-1"), files: withBash(base), command: ["sh"] },
    {
      name: e2e("kitten:1.8"),
      files: [
        { path: "data.json", data: Buffer.from('{"image": "kitten.jpg"}\n') },
        { path: "etc/", type: "directory" },
        { path: "etc/os-release", data: Buffer.from('NAME="Alpine Linux"\n') },
      ],
    },
    { name: e2e("nautilus:1.8"), files: [...base, demo], command: ["/serve-demo"] },
    {
      name: e2e("glibc-dns-testing:2.0.0"),
      files: [...base, ...(await bundled("dig", "getent"))],
      command: ["sh"],
    },
    { name: "registry.k8s.io/pause:3.10.2", files: [...base, sleeper], entrypoint: ["/pause"] },
  ];
  for (const version of ["1.15-4", "1.27-0"]) {
    images.push({
      name: e2e(`nginx:${version}`),
      files: [...base, webServer],
      command: ["/serve"],
    });
  }
  const agnhost = join(folder, "agnhost");
  if (existsSync(agnhost)) {
    const openbsd = [
      ...(await bundled("nc.openbsd")),
      script("usr/bin/nc", 'exec /usr/bin/nc.openbsd "$@"'),
    ];
    const served = ["localhost.crt", "localhost.key"].filter((name) =>
      existsSync(join(folder, name)),
    );
    const files: TarEntry[] = [
      // The suite's shell is dash: busybox's own prefers its applets, also to the netcat below.
      ...base.filter(({ path }) => path !== "bin/sh"),
      program("bin/sh", "/bin/sh"),
      ...(await bundled("curl", "dig", "getent")),
      ...(existsSync(openbsdNetcat) ? openbsd : [netcat]),
      { path: "uploads/", type: "directory" },
      ...served.map((name): TarEntry => ({ path: name, data: readFileSync(join(folder, name)) })),
      program("agnhost", agnhost),
      { path: "agnhost-2", type: "symlink", link: "agnhost" },
    ];
    for (const version of ["2.55", "2.63.0"]) {
      images.push({
        name: e2e(`agnhost:${version}`),
        files,
        entrypoint: ["/agnhost"],
        command: ["pause"],
      });
    }
  }
  const escalating = join(folder, "nnp");
  if (existsSync(escalating)) {
    const setUserId = { ...program("usr/bin/nnp", escalating), mode: 0o4755 };
    images.push({ name: e2e("nonewprivs:1.4"), files: [...base, setUserId], command: ["nnp"] });
  }
  const apiServer = join(folder, "sample-apiserver");
  if (existsSync(apiServer)) {
    images.push({
      name: e2e("sample-apiserver:1.29.2"),
      files: [...base, program("sample-apiserver", apiServer)],
      entrypoint: ["/sample-apiserver"],
    });
  }
  if (existsSync("/usr/bin/etcd")) {
    const local: TarEntry[] = ["usr/local/", "usr/local/bin/"].map((path) => ({
      path,
      type: "directory",
    }));
    images.push({
      name: "registry.k8s.io/etcd:3.6.8-0",
      files: [...base, ...local, program("usr/local/bin/etcd", "/usr/bin/etcd")],
      command: ["etcd"],
    });
  }
  return images;
}

/** Imports them into the site in `dataDir`; resolves with their names. */
export async function importSuiteImages(kerb: string, dataDir: string, folder: string) {
  const names: string[] = [];
  const directory = mkdtempSync(join(tmpdir(), "kerb-images-"));
  try {
    for (const image of await suiteImages(folder)) {
      const file = join(directory, "image.tar");
      writeFileSync(file, ociArchive({ ...image, architecture: ociArchitecture(process.arch) }));
      console.log((await run(kerb, ["image", "import", file, "--data-dir", dataDir])).trim());
      names.push(image.name);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return names;
}
