// What the wing needs of the machine: ways to git and to registries, and a place for the last good copies.
import type { StrategicMerge } from "./kustomize/patches.ts";

/** With what a source is asked. */
export interface Access {
  username?: string;
  password?: string;
  bearerToken?: string;
  /** PEM of authorities that are trusted besides. */
  ca?: string;
}

export interface GitAsk {
  /** Names the place where objects that were fetched before lie. */
  id: string;
  url: string;
  ref: { branch?: string; tag?: string; semver?: string; name?: string; commit?: string };
  access: Access;
  timeoutMs: number;
}

export interface OciAsk {
  url: string;
  ref: { tag?: string; semver?: string; digest?: string };
  layer?: { mediaType?: string };
  insecure: boolean;
  /** Public keys of cosign, in PEM; absent: signatures are not asked for. */
  keys?: string[];
  access: Access;
  timeoutMs: number;
}

/** What a source has now. */
export interface Found {
  /** `main@sha1:…`, `1.2.3@sha256:…`. */
  revision: string;
  /** True once a signature was found to be right. */
  isVerified?: boolean;
  /** Its files as a tar archive. */
  fetch(): Promise<Uint8Array>;
}

export interface Copy {
  revision: string;
  archive: Uint8Array;
}

export interface GitOpsHost {
  git(ask: GitAsk): Promise<Found>;
  oci(ask: OciAsk): Promise<Found>;
  /** Last good copies, by the uid of their source. */
  copies: {
    read(id: string): Copy | undefined;
    write(id: string, copy: Copy): void;
    remove(id: string): void;
  };
  strategic: StrategicMerge;
}
