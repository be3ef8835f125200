// Writes a small image of Debian's static busybox to a file, to try a site without a registry:
//
//   npm run busybox-image -- busybox.tar
import { writeFileSync } from "node:fs";
import { busyboxArchive } from "../test/support/image.ts";

const [file] = process.argv.slice(2);
if (!file) throw new Error("where to? npm run busybox-image -- busybox.tar");
writeFileSync(file, busyboxArchive());
