// Changes what jco made of a component, so that its guest can wait (wasi-preview2/suspension.ts). It rests on
// what one version of jco writes, which is pinned, and fails where the script looks different. Pure.
import { suspensionImport, waitingCalls } from "./wasi-preview2/waiting-calls.ts";
import type { WaitingCall } from "./wasi-preview2/waiting-calls.ts";

const named = /^\s*(_?trampoline\d+)\.fnName = 'wasi:io\/(?:streams|poll)@[^#]*#(\w+)';$/gm;
const firstInstance = /^\s*\(\{ exports: exports0 \} = /m;
const exported = /^export (?=(?:const|function) )/gm;
const debugTest = "if (!globalThis?.process?.env?.JCO_DEBUG) { return; }";

function lookupOf(body: string): string {
  const tables = [...new Set([...body.matchAll(/= handleTable(\w+)\[/g)].map(([, id]) => id))];
  const resources = tables.map(
    (id) => `(handle) => captureTable${id}.get(handleTable${id}[(handle << 1) + 1] & ~T_FLAG)`,
  );
  const memory = /\(memory(\w+)\)\.getInt32\(base /.exec(body)?.[1];
  const word = memory && `word: (at) => dataView(memory${memory}).getInt32(at, true)`;
  return `{ resources: [${resources.join(", ")}], ${word ?? ""} }`;
}

/** jco's script, whose imports that may wait go by `suspending`. Pure. */
export function withSuspension(script: string): string {
  const added: string[] = [];
  for (const [, inner = "", method = ""] of script.matchAll(named)) {
    if (!waitingCalls.includes(method as WaitingCall)) continue;
    const outer = inner.replace(/^_/, "");
    const begins = script.indexOf(`const ${inner} = `);
    const body = script.slice(begins, script.indexOf("CallInterface", begins));
    if (begins < 0) throw new Error(`jco's script has no ${inner}`);
    added.push(
      `  ${outer} = imports["${suspensionImport}"].suspending(${outer}, "${method}", ${lookupOf(body)});`,
    );
  }
  if (!script.includes(debugTest)) throw new Error("jco's script has another way to trace");
  // Its tracing looks at the environment at every step of every call; and Node's loader of modules costs a
  // runner a tenth of its memory.
  const body = script.replace(debugTest, "return;").replaceAll(exported, "");
  if (!/^function instantiate\(/m.test(body) || /^(?:import|export) /m.test(body)) {
    throw new Error("jco's script is another kind of module");
  }
  const quiet = `"use strict";\n${body}\nexports.instantiate = instantiate;\n`;
  if (added.length === 0) return quiet;
  if (!firstInstance.test(quiet)) throw new Error("jco's script makes no instance");
  return quiet.replace(firstInstance, (line) => `\n${added.join("\n")}\n${line}`);
}
