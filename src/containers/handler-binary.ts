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
}

/** runc's own error goes to its log, from where containerd reads it. */
function runtimeScript(node: string, { prepare, args = [] }: Handler, runc: string): string {
  const command = [node, prepare].map(quote).join(" ");
  const rest = args.map((word) => ` ${quote(word)}`).join("");
  return `#!/bin/sh
bundle= log= create= last=
for word; do
  case $last in
    --bundle|-b) bundle=$word ;;
    --log) log=$word ;;
  esac
  [ "$word" = create ] && create=1
  last=$word
done
if [ -n "$create" ]; then
  if ! problem=$(${command} "$bundle"${rest} 2>&1); then
    [ -z "$log" ] || printf '{"level":"error","msg":"%s"}\\n' "$problem" >>"$log"
    printf '%s\\n' "$problem" >&2
    exit 1
  fi
fi
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
