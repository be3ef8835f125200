import { Site } from "./site.ts";

/** Its folder is where a disk is mounted, and goes with the disk. */
export class SiteOnDisk extends Site {
  override async remove() {
    await this.down("--grace-period=0");
  }
}
