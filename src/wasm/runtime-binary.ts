// The OCI runtime of the handler `wasm`: runc, with a look at each bundle before it is created. A shell
// script, since containerd starts it for every step of a container's life.
import { chmodSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** runc's own error goes to its log, from where containerd reads it. */
export function runtimeScript(node: string, prepare: string, runc: string): string {
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
  if ! problem=$(${quote(node)} ${quote(prepare)} "$bundle" 2>&1); then
    [ -z "$log" ] || printf '{"level":"error","msg":"%s"}\\n' "$problem" >>"$log"
    printf '%s\\n' "$problem" >&2
    exit 1
  fi
fi
exec ${quote(runc)} "$@"
`;
}

/** Writes the runtime into the folder; returns its path. */
export function writeRuntimeBinary(directory: string, runc: string): string {
  const path = join(directory, "wasm-runc");
  const prepare = join(import.meta.dirname, `wasm-prepare${extname(import.meta.filename)}`);
  writeFileSync(path, runtimeScript(process.execPath, prepare, runc));
  chmodSync(path, 0o700);
  return path;
}
