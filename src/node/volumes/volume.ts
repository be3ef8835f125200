// What a type of volume is: given the pod's declaration, it makes a path on the host that containers mount.
// `prepare` is called again to bring a volume up to date, so it must be idempotent.
import type { Client } from "../../client/client.ts";
import type { Clock } from "../../lib/clock.ts";
import type { CsiDrivers } from "../csi/drivers.ts";
import type { NodeFacts } from "../pods/field-ref.ts";
import type { Mounts } from "../machine/mounts.ts";
import type { Objects } from "../objects.ts";
import type { Container, Pod } from "../pods/pod.ts";
import type { Runtime } from "../runtime.ts";
import type { CsiSource } from "./csi-source.ts";
import type { Held } from "./held.ts";

export interface VolumeContext {
  pod: Pod;
  /** The volume as the pod declares it. */
  volume: { name: string; [type: string]: any };
  client: Client;
  objects: Objects;
  facts: NodeFacts;
  podIps: string[];
  mounts: Mounts;
  runtime: Pick<Runtime, "viewOf" | "viewImage" | "dropView">;
  clock: Clock;
  /** Absent where drivers cannot register. */
  csi: CsiDrivers | undefined;
  /** It is made, and brought up to date. */
  isAgain: boolean;
  /** Makes an image be there, as its policy says. */
  pull: (image: Pick<Container, "image" | "imagePullPolicy">) => Promise<string>;
  /** Writes down what the type's `release` will give back. */
  hold: (details: Omit<Held, "type">) => Promise<void>;
  /** In which the volumes of claims lie. */
  localVolumes: string;
  /** Folders of this volume, on disk and on tmpfs. */
  onDisk: string;
  inMemory: string;
}

export interface DrivenVolume {
  source: CsiSource;
  target: string;
  staging?: string;
}

export interface Volume {
  hostPath: string;
  readOnly?: boolean;
  /** Nothing can be made in it, so a path within it must be there. */
  isReadOnlyInside?: boolean;
  /** The host's device, of a volume that is no file system. */
  device?: string;
  /** Wall clock, milliseconds: when it must be prepared again (tokens). */
  refreshAt?: number;
  /** Where a driver keeps it. */
  driven?: DrivenVolume;
  /** The claim it is bound to. */
  claimName?: string;
}

export interface ReleaseContext extends Pick<
  VolumeContext,
  "runtime" | "mounts" | "client" | "csi"
> {
  /** True when another volume of this node holds such a thing too. */
  isHeldByOthers(isSame: (held: Held) => boolean): Promise<boolean>;
}

export interface VolumeType {
  prepare(context: VolumeContext): Promise<Volume>;
  /** True when a change of API objects must be followed while containers run. */
  live?: boolean;
  /** Gives back what `hold` wrote down. Idempotent. */
  release?(context: ReleaseContext, held: Held): Promise<void>;
}

/** A volume cannot be made; the message is for the FailedMount event. */
export class VolumeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "VolumeError";
  }
}
