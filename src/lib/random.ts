// Randomness is a parameter too: the system's generator in production, a seeded one in simulation.
import { getRandomValues, randomUUID } from "node:crypto";

export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** RFC 4122 version 4. */
  uuid(): string;
  /** `length` characters from the alphabet Kubernetes uses for generated names (no vowels, no look-alikes). */
  suffix(length: number): string;
}

const alphabet = "bcdfghjklmnpqrstvwxz2456789";

const suffixFrom = (float: () => number, length: number) => {
  let text = "";
  for (let i = 0; i < length; i++) text += alphabet[Math.floor(float() * alphabet.length)];
  return text;
};

/** Drawn from the system in blocks: a call for every letter of a name would cost more than the name. */
const blockWords = 256;
let block = new Uint32Array(0);
let used = 0;

function systemFloat(): number {
  if (used === block.length) {
    block = getRandomValues(new Uint32Array(blockWords));
    used = 0;
  }
  return block[used++]! / 2 ** 32;
}

export const systemRandom: Random = {
  float: systemFloat,
  uuid: () => randomUUID(),
  suffix: (length) => suffixFrom(systemRandom.float, length),
};

/** A generator whose whole output follows from `seed` (mulberry32). Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const float = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => Math.floor(float() * 16).toString(16)).join("");
  return {
    float,
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
    suffix: (length) => suffixFrom(float, length),
  };
}
