// Imports of a component as plain calls. jco keeps a task for each call of the host, so that calls may overlap;
// those of WASI preview 2 never do, and the bookkeeping was most of what a request cost. It rests on what one
// version of jco writes: a call that looks different keeps its task. Pure.

const call = /^ {2}const (_trampoline\d+) = function\([\s\S]*?^ {2}\1\.fnName = /gm;
const beginning = /const hostProvided = true;[\s\S]*?const started = task\.enterSync\(\);/;
const inTask =
  /_withGlobalCurrentTaskMeta\(\{\s*componentIdx: task\.componentIdx\(\),\s*taskID: task\.id\(\),\s*fn: \(\) => _trackHostOperation\(\(\) => ([^\n]*)\),\s*\}\)/;
const told = /_debugLog\('\[Instruction::CallInterface\] error during sync call', \{[\s\S]*?\}\);/;
const failing = /task\.setErrored\(err\);\s*task\.reject\(err\);\s*task\.exit\(\);/;
const ending = /task\.resolve\(\[[^\n]*\]\);\s*task\.exit\(\);/;
const leftOver = /\b(?:task|subtask|parentTask|started)\b/;
const quoted = /'[^'\n]*'/g;

function withoutTask(text: string): string | undefined {
  if (!beginning.test(text)) return undefined;
  const plain = text
    .replace(beginning, "")
    .replace(inTask, "($1)")
    .replace(told, "")
    .replace(failing, "")
    .replace(ending, "");
  return leftOver.test(plain.replaceAll(quoted, "")) ? undefined : plain;
}

/** The script, and the names of the calls that need no task any more. */
export function withDirectCalls(script: string): { script: string; direct: string[] } {
  const direct: string[] = [];
  const made = script.replace(call, (text, name: string) => {
    const plain = withoutTask(text);
    if (plain !== undefined) direct.push(name);
    return plain ?? text;
  });
  return { script: made, direct };
}
