// Changes what jco made of a component, so that its guest can wait (wasi-preview2/suspension.ts). It rests on
// what one version of jco writes, which is pinned, and fails where the script looks different. Pure.
import { withDirectCalls } from "./direct-calls.ts";
import { suspensionImport, waitingCalls } from "./wasi-preview2/waiting-calls.ts";
import type { WaitingCall } from "./wasi-preview2/waiting-calls.ts";

const named = /^\s*(_?trampoline\d+)\.fnName = 'wasi:io\/(?:streams|poll)@[^#]*#(\w+)';$/gm;
const firstInstance = /^\s*\(\{ exports: exports0 \} = /m;
const exported = /^export (?=(?:const|function) )/gm;
const debugTest = "if (!globalThis?.process?.env?.JCO_DEBUG) { return; }";

const outerOf = (inner: string) => inner.replace(/^_/, "");

function lookupOf(body: string): string {
  const tables = [...new Set([...body.matchAll(/= handleTable(\w+)\[/g)].map(([, id]) => id))];
  const resources = tables.map(
    (id) => `(handle) => captureTable${id}.get(handleTable${id}[(handle << 1) + 1] & ~T_FLAG)`,
  );
  const memory = /\(memory(\w+)\)\.getInt32\(base /.exec(body)?.[1];
  const word = memory && `word: (at) => dataView(memory${memory}).getInt32(at, true)`;
  return `{ resources: [${resources.join(", ")}], ${word ?? ""} }`;
}

/** Each call by another: first those that need no task, then those that may wait around them. */
function assignments(script: string, direct: string[]): string[] {
  const lines = direct.map((inner) => `  ${outerOf(inner)} = ${inner};`);
  for (const [, inner = "", method = ""] of script.matchAll(named)) {
    if (!waitingCalls.includes(method as WaitingCall)) continue;
    const begins = script.indexOf(`const ${inner} = `);
    if (begins < 0) throw new Error(`jco's script has no ${inner}`);
    const lookup = lookupOf(script.slice(begins, script.indexOf("CallInterface", begins)));
    const outer = outerOf(inner);
    lines.push(
      `  ${outer} = imports["${suspensionImport}"].suspending(${outer}, "${method}", ${lookup});`,
    );
  }
  return lines;
}

/** jco's script, whose imports that may wait go by `suspending`. Pure. */
export function withSuspension(original: string): string {
  const { script, direct } = withDirectCalls(original);
  if (!script.includes(debugTest)) throw new Error("jco's script has another way to trace");
  // Its tracing looks at the environment at every step of every call; and Node's loader of modules costs a
  // runner a tenth of its memory.
  const body = script.replace(debugTest, "return;").replaceAll(exported, "");
  if (!/^function instantiate\(/m.test(body) || /^(?:import|export) /m.test(body)) {
    throw new Error("jco's script is another kind of module");
  }
  const added = assignments(script, direct);
  const made = `"use strict";\n${body}\nexports.instantiate = instantiate;\n`;
  if (added.length === 0) return made;
  if (!firstInstance.test(made)) throw new Error("jco's script makes no instance");
  return made.replace(firstInstance, (line) => `\n${added.join("\n")}\n${line}`);
}
