// sock_*: preview 1 can only use sockets that it was given, and nobody gives it any.
import { FileError } from "../files/file-error.ts";
import type { Calls, Host } from "./guest.ts";

export function socketCalls({ descriptors }: Host): Calls {
  const refuse = (fd: number) => {
    descriptors.file(fd);
    throw new FileError("ENOTSOCK");
  };
  return { sock_accept: refuse, sock_recv: refuse, sock_send: refuse, sock_shutdown: refuse };
}
