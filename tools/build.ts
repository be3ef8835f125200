// Bundles the sources into dist/: a running site starts from few JavaScript files, so that the start
// costs no type stripping and the compile cache holds everything. Each command is its own chunk.
import { build } from "esbuild";
import type { BuildOptions } from "esbuild";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { takeBuiltins } from "./builtin-imports.ts";

const root = join(import.meta.dirname, "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const staging = join(root, ".cache", `dist.${process.pid}`);

const options: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  // Names stay as they are written: stack traces can be read, and nothing sets them at run time.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  logLevel: "warning",
};

const { outputFiles } = await build({
  ...options,
  write: false,
  entryPoints: {
    kerb: "bin/kerb.ts",
    testing: "src/main/test-server.ts",
    "kube-apiserver": "bin/kube-apiserver.ts",
    etcd: "bin/etcd.ts",
    "wasm-transpile": "src/wasm/wasm-transpile.ts",
    "vm-prepare": "src/vms/vm-prepare.ts",
    "vm-dhcp-socket": "src/vms/vm-dhcp-socket.ts",
  },
  outdir: staging,
  // Native code stays where npm put it, and so does what grpc-js loads only for a protocol that nobody speaks
  // here; the rest is bundled so that the start opens few files.
  external: ["lmdb", "@grpc/proto-loader"],
  define: { "process.env.KERB_VERSION": JSON.stringify(manifest.version) },
});
// What esbuild calls for a built-in module from CommonJS lies in one file, and only that one needs a `require`, which for
// anything else is made when it is asked for.
const requireHere =
  "const require = (name) => process.getBuiltinModule(name) ?? " +
  'process.getBuiltinModule("node:module").createRequire(import.meta.url)(name);';
mkdirSync(staging, { recursive: true });
for (const { path, text: built } of outputFiles) {
  const text = takeBuiltins(built);
  const mode = text.startsWith("#!") ? 0o755 : 0o644;
  writeFileSync(path, text.includes("typeof require") ? `${requireHere}${text}` : text, { mode });
}
/** In one file and without the loader of modules, which costs a fifth of a start and of an idle runner's memory. */
const quick: BuildOptions = {
  ...options,
  splitting: false,
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  define: { "import.meta.dirname": "__dirname", "import.meta.filename": "__filename" },
};
await build({
  ...quick,
  entryPoints: { "wasm-prepare": "src/wasm/wasm-prepare.ts" },
  outdir: staging,
});
// All that is mounted into the container of a WebAssembly module, and nothing else, in a folder of its own.
await build({
  ...quick,
  entryPoints: { "wasm-run": "src/wasm/wasm-run.ts" },
  outdir: join(staging, "wasm"),
});
// Likewise for the pods of disks.
await build({
  ...quick,
  entryPoints: { "vm-disk": "src/vms/vm-disk.ts" },
  outdir: join(staging, "vms"),
});
rmSync(join(root, "dist"), { recursive: true, force: true });
renameSync(staging, join(root, "dist"));
