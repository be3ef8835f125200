// A small real image of Debian's static busybox, as people would bring one to a site without network.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ociArchive } from "../../src/containers/oci-archive.ts";
import { ociArchitecture } from "../../src/containers/pause.ts";
import type { TarEntry } from "../../src/containers/tar.ts";
import type { Site } from "./site.ts";

const applets =
  "sh cat chroot echo env false grep head httpd hostname id ip ls mkdir mount nc nslookup ping ps pwd rm sed seq sleep sort stat tail tar test timeout touch tr true tty umask wc wget".split(
    " ",
  );

/** Debian's static busybox resolves names through the shared C library all the same. */
export function resolverFiles(): TarEntry[] {
  const [triplet, loader] =
    process.arch === "arm64"
      ? ["aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1"]
      : ["x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"];
  const libraries = ["libc.so.6", "libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2"].map(
    (name) => `lib/${triplet}/${name}`,
  );
  return [
    ...["lib/", `lib/${triplet}/`, "lib64/"].map((path): TarEntry => ({ path, type: "directory" })),
    ...[loader!, ...libraries]
      .filter((path) => existsSync(`/${path}`))
      .map((path): TarEntry => ({ path, data: readFileSync(`/${path}`), mode: 0o755 })),
    { path: "etc/nsswitch.conf", data: Buffer.from("hosts: files dns\n") },
  ];
}

/** The archive's bytes; `docker.io/library/busybox:kerb`. */
export function busyboxArchive(): Buffer {
  const busybox = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path));
  if (!busybox) throw new Error("busybox-static is not installed");
  const files: TarEntry[] = [
    ...["bin/", "etc/", "tmp/", "root/"].map((path): TarEntry => ({
      path,
      type: "directory",
      mode: path === "tmp/" ? 0o1777 : 0o755,
    })),
    { path: "bin/busybox", data: readFileSync(busybox), mode: 0o755 },
    ...applets.map((name): TarEntry => ({ path: `bin/${name}`, type: "symlink", link: "busybox" })),
    { path: "etc/passwd", data: Buffer.from("root:x:0:0:root:/root:/bin/sh\n") },
    ...resolverFiles(),
    { path: "etc/group", data: Buffer.from("root:x:0:\n") },
  ];
  return ociArchive({
    name: "docker.io/library/busybox:kerb",
    architecture: ociArchitecture(process.arch),
    files,
    command: ["sh"],
  });
}

/** Imports it as a user would: `kerb image import FILE`. */
export async function importBusybox(site: Site) {
  mkdirSync(site.directory, { recursive: true });
  const file = join(site.directory, "busybox.tar");
  writeFileSync(file, busyboxArchive());
  await site.kerb("image", "import", file);
}
