// bare-guest.c as files that QEMU begins with: for tests of what QEMU does with a guest, whatever the guest is.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export function bareGuestFiles(folder: string) {
  const files = { path: join(folder, "bare-guest"), initrd: join(folder, "nothing") };
  const bare = ["--target=i386-unknown-none-elf", "-O2", "-ffreestanding", "-fno-stack-protector"];
  const plain = ["-fno-pic", "-mno-sse", "-mno-mmx"];
  const linked = ["-nostdlib", "-static", "-fuse-ld=lld", "-Wl,-Ttext=0x100000", "-Wl,-N"];
  const source = join(import.meta.dirname, "bare-guest.c");
  execFileSync("clang", [...bare, ...plain, ...linked, "-o", files.path, source]);
  writeFileSync(files.initrd, "-");
  return files;
}
