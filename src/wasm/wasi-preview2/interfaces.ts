/** Every interface that components may import, known without a host. */
export const preview2Interfaces: ReadonlySet<string> = new Set(
  (
    "wasi:cli/environment wasi:cli/exit wasi:cli/stdin wasi:cli/stdout wasi:cli/stderr " +
    "wasi:cli/terminal-input wasi:cli/terminal-output wasi:cli/terminal-stdin " +
    "wasi:cli/terminal-stdout wasi:cli/terminal-stderr wasi:clocks/monotonic-clock " +
    "wasi:clocks/wall-clock wasi:filesystem/preopens wasi:filesystem/types " +
    "wasi:http/outgoing-handler wasi:http/types wasi:io/error wasi:io/poll wasi:io/streams " +
    "wasi:random/insecure wasi:random/insecure-seed wasi:random/random " +
    "wasi:sockets/instance-network wasi:sockets/ip-name-lookup wasi:sockets/network " +
    "wasi:sockets/tcp wasi:sockets/tcp-create-socket wasi:sockets/udp " +
    "wasi:sockets/udp-create-socket"
  ).split(" "),
);

/** Those by which a component needs sockets of the kernel. */
export const needsNetwork = (name: string) => /^wasi:(http|sockets)\//.test(name);
