// The repository's own rules. Each check first proves that it looked at something.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(root, file), "utf8");
const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file.endsWith(".ts"));
const sources = files.filter((file) => file.startsWith("src/"));

/** The table of ARCHITECTURE.md: folder to what it may import ("everything" lifts the rule). */
function layers(): Map<string, string[]> {
  const table = new Map<string, string[]>();
  for (const [, room, allowed] of read("ARCHITECTURE.md").matchAll(
    /^\| `src\/([\w-]+)`\s*\|[^|]*\|([^|]*)\|$/gm,
  )) {
    table.set(room!, allowed!.trim().split(/\s+/).filter(Boolean));
  }
  return table;
}

function imports(file: string): string[] {
  const found = read(file).matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...found].map((match) => normalize(join(dirname(file), match[1]!)));
}

test("every import follows the layer table", () => {
  const table = layers();
  assert.ok(table.size >= 10, `only ${table.size} rooms found in ARCHITECTURE.md`);
  let seen = 0;
  const broken: string[] = [];
  for (const file of sources) {
    const room = file.split("/")[1]!;
    const allowed = table.get(room);
    assert.ok(allowed, `${file}: its room is not in the table`);
    const product = !file.endsWith(".test.ts");
    for (const target of imports(file)) {
      seen += 1;
      const other = target.split("/")[1]!;
      const inside = target.startsWith(`src/${room}/`);
      const plug = allowed.some((a) => a.includes("/") && target === `src/${a}.ts`);
      const fine = inside || plug || allowed.includes(other) || allowed.includes("everything");
      if (product && !fine) broken.push(`${file} imports ${target}`);
    }
  }
  assert.ok(seen > sources.length, `only ${seen} imports read in ${sources.length} files`);
  assert.deepEqual(broken, []);
});

/** What is loaded with a file: types are gone by then, and what is imported where it is used waits for that. */
function needs(file: string): string[] {
  const found = read(file).matchAll(/^(?:import|export) (?!type\b)[^;]*?from "(\.[^"]+)"/gm);
  return [...found].map((match) => normalize(join(dirname(file), match[1]!)));
}

test("no file needs itself before it is there", () => {
  const graph = new Map(sources.map((file) => [file, needs(file)]));
  const seen = [...graph.values()].flat().length;
  assert.ok(seen > sources.length, `only ${seen} imports read in ${sources.length} files`);
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, way: string[]) => {
    const at = way.indexOf(file);
    if (at >= 0) return void circles.push([...way.slice(at), file].join(" -> "));
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...way, file]);
    done.add(file);
  };
  for (const file of sources) visit(file, []);
  assert.deepEqual(circles, []);
});

/** All that is loaded with a file. */
function loadedWith(file: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  for (const next of needs(file)) if (next.endsWith(".ts")) loadedWith(next, loaded);
  return loaded;
}

test("a joined machine, and a wing on another cluster, load nothing of a control plane", () => {
  const rooms = ["src/server/", "src/store/", "src/scheduler/", "src/controllers/"];
  // A machine reads the certificates that it is shown; a site's agent loads CEL by the first rule that asks for it.
  const own = /^src\/server\/(auth\/(authority|der|x509)|cel\/(load|object-rules))\.ts$/;
  const plane = (file: string) => rooms.some((room) => file.startsWith(room)) && !own.test(file);
  const whole = [...loadedWith("src/main/site/site.ts")];
  for (const room of rooms)
    assert.ok(
      whole.some((file) => file.startsWith(room)),
      room,
    );
  for (const [entry, size] of [
    ["src/main/node/join.ts", 150],
    ["src/main/commands/run.ts", 20],
    ["src/main/wings/member.ts", 5],
  ] as const) {
    const loaded = [...loadedWith(entry)];
    assert.ok(loaded.length > size, `only ${loaded.length} files are loaded with ${entry}`);
    assert.deepEqual(loaded.filter(plane), [], entry);
  }
});

/** Files that are longer than the rule for a reason. */
const longFiles: Record<string, string> = {};

test("no file is longer than 400 lines", () => {
  assert.ok(sources.length > 10);
  const long = files.filter((file) => read(file).split("\n").length > 401 && !longFiles[file]);
  assert.deepEqual(long, []);
});

test("time and chance are parameters", () => {
  const banned = /\bDate\.now\(|\bMath\.random\(|(?<!\.)\bset(Timeout|Interval)\(|new Date\(\)/;
  const free = new Set(["src/lib/clock.ts", "src/lib/random.ts", "src/lib/fake-clock.ts"]);
  const product = sources.filter((file) => !file.endsWith(".test.ts") && !free.has(file));
  assert.ok(banned.test(read("src/lib/clock.ts")), "the pattern finds what it bans");
  const found = product.filter((file) => banned.test(read(file)));
  assert.deepEqual(found, []);
});

test("names say what a file is for", () => {
  const vague = files.filter((file) => /(^|\/)(utils?|helpers?|common|misc|index)\.ts$/.test(file));
  assert.deepEqual(vague, []);
});
