// One file of `handlers/` answers for one group of actions.
import type { Duplex } from "node:stream";
import type { Access } from "./access.ts";
import type { Asked } from "./protocol.ts";

export interface Call extends Asked {
  access: Access;
  /** The decoded body; an empty object without one. */
  body: any;
  /** Nothing is to be written. */
  dryRun: boolean;
}

export interface Answer {
  code: number;
  json?: object;
  bytes?: { type: string; data: Uint8Array };
}

export type Handler = (call: Call) => Promise<Answer>;
/** Gives the stream that the caller is joined with. */
export type StreamHandler = (call: Call) => Promise<Duplex>;

export const accepted: Answer = { code: 202 };
export const done: Answer = { code: 200 };

export const hasCondition = (object: any, type: string) =>
  object.status?.conditions?.some((one: any) => one.type === type && one.status === "True") ??
  false;
