// args_* and environ_*: lists of texts, each ended by a zero.
import type { Calls, Host } from "./guest.ts";

export function argumentCalls({ memory, args, env }: Host): Calls {
  const encoder = new TextEncoder();
  const lists = {
    args: args.map((text) => encoder.encode(`${text}\0`)),
    environ: Object.entries(env).map(([name, value]) => encoder.encode(`${name}=${value}\0`)),
  };
  const sizes = (list: Uint8Array[]) => (count: number, bytes: number) => {
    memory.u32(count, list.length);
    memory.u32(
      bytes,
      list.reduce((sum, { length }) => sum + length, 0),
    );
  };
  const get = (list: Uint8Array[]) => (pointers: number, buffer: number) => {
    let [slot, at] = [pointers, buffer];
    for (const text of list) {
      memory.u32(slot, at);
      memory.bytes(at, text.length).set(text);
      [slot, at] = [slot + 4, at + text.length];
    }
  };
  return {
    args_get: get(lists.args),
    args_sizes_get: sizes(lists.args),
    environ_get: get(lists.environ),
    environ_sizes_get: sizes(lists.environ),
  };
}
