// The OCI runtime of a handler that is not runc alone: runc, with a program that sees each bundle before its
// container is created. A shell script, since containerd starts it for every step of a container's life.
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

export interface Handler {
  /** Of the RuntimeClasses that mean it. */
  name: string;
  /** The program, and what it is told after the bundle's folder. */
  prepare: string;
  args?: string[];
  /** A pipe by which a program that waits there is told of bundles in place of one that is started for each. */
  ask?: string;
  /** Containers in whose bundle this file lies take no further programs, and why. */
  noExec?: { file: string; why: string };
  /** Containers in whose bundle this file lies keep the `memoryBytes` that it says, and why. */
  keepsMemory?: { file: string; why: string };
}

const openSecondsMax = 3;
/** Above what the longest look may take. */
const answerSecondsMax = 200;

const sandbox = '"io.kubernetes.cri.container-type": *"sandbox"';

/** Whoever waits at the pipe has it open; a pipe that nobody opens in time is one that was left behind. */
const asking = (ask: string) => `asked() {
  [ -p ${ask} ] && mkfifo -m 600 "$bundle/prepared" || return 1
  exec 3<>"$bundle/prepared"
  printf '%s\\n' "$bundle" | timeout ${openSecondsMax} tee ${ask} >/dev/null || { exec 3>&-; rm -f ${ask}; return 1; }
  problem=$(timeout ${answerSecondsMax} head -n 1 <&3) || problem="its bundle was not looked at in time"
  exec 3>&-
  [ -z "$problem" ] || refuse "$problem"
}`;

/** What the container has beside its limit is not known to containerd, so the limit is left as it is. */
const updating = ({ file, why }: { file: string; why: string }, runc: string) => `update() {
  program="$(dirname "$log")"/${quote(file)}
  [ -e "$program" ] || exec ${runc} "$@"
  resources=$(cat)
  limit=$(printf '%s' "$resources" | sed -n 's/.*"memory":{"limit":\\([0-9]*\\).*/\\1/p')
  [ -z "$limit" ] || grep -q "\\"memoryBytes\\":$limit[,}]" "$program" || refuse ${quote(why)}
  printf '%s' "$resources" | sed 's/"memory":{[^}]*},\\{0,1\\}//' | exec ${runc} "$@"
}`;

/** runc's own error goes to its log, from where containerd reads it. */
function runtimeScript(node: string, handler: Handler, runc: string): string {
  const { prepare, args = [], ask, noExec, keepsMemory } = handler;
  const command = [node, prepare].map(quote).join(" ");
  const rest = args.map((word) => ` ${quote(word)}`).join("");
  const look = `problem=$(${command} "$bundle"${rest} 2>&1) || refuse "$problem"`;
  const exec = noExec
    ? `[ ! -e "$(dirname "$log")"/${quote(noExec.file)} ] || refuse ${quote(noExec.why)}`
    : ":";
  return `#!/bin/sh
bundle= log= step= last=
refuse() {
  [ -z "$log" ] || printf '{"level":"error","msg":"%s"}\\n' "$1" >>"$log"
  printf '%s\\n' "$1" >&2
  exit 1
}
for word; do
  case $last in
    --bundle|-b) bundle=$word ;;
    --log) log=$word ;;
  esac
  case $word in
    create|exec|update) step=$word ;;
  esac
  last=$word
done
${ask === undefined ? "" : asking(quote(ask))}
${keepsMemory ? updating(keepsMemory, quote(runc)) : ""}
case $step in
  create)
    # A pod's own sandbox holds no program of ours, and the look at it costs a start of Node.
    grep -q '${sandbox}' "$bundle/config.json" || ${ask === undefined ? "" : "asked || "}${look} ;;
  exec) ${exec} ;;
  update) ${keepsMemory ? 'update "$@"; exit' : ":"} ;;
esac
exec ${quote(runc)} "$@"
`;
}

/** Writes the runtime into the folder; returns its path. */
export function writeHandlerBinary(directory: string, handler: Handler, runc: string): string {
  const path = join(directory, `${handler.name}-runc`);
  writeFileSync(path, runtimeScript(process.execPath, handler, runc));
  chmodSync(path, 0o700);
  return path;
}
