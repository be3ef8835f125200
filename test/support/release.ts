// Releases to update to: what `npm pack` would write of this build, under another version, or broken in some way.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./command.ts";
import { root } from "./site.ts";

export type Fault = "ends" | "hangs";

const faults: Record<Fault, string> = {
  ends: 'console.error("this release is broken"); process.exit(7);',
  hangs: "setInterval(() => {}, 1000);",
};

export async function makeRelease(version: string, fault?: Fault): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "kerb-release-"));
  const at = join(folder, "package");
  mkdirSync(at);
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeFileSync(join(at, "package.json"), JSON.stringify({ ...manifest, version }));
  cpSync(join(root, "dist"), join(at, "dist"), {
    recursive: true,
    filter: (path) => !path.includes(".compile-cache"),
  });
  const own = JSON.stringify(manifest.version);
  for (const name of readdirSync(join(at, "dist")).filter((one) => one.endsWith(".js"))) {
    const path = join(at, "dist", name);
    const text = readFileSync(path, "utf8");
    if (text.includes(own)) writeFileSync(path, text.replaceAll(own, JSON.stringify(version)));
  }
  if (fault) writeFileSync(join(at, "dist/kerb.js"), faults[fault]);
  const file = join(folder, `kerb-${version}.tgz`);
  await run("tar", ["-czf", file, "-C", folder, "package"]);
  rmSync(at, { recursive: true });
  return file;
}
