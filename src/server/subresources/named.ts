// What is posted for a pod says whose it is, too.
import { badRequest } from "../../lib/status-error.ts";
import type { Call } from "../core.ts";

/** Throws BadRequest when `body` is meant for another. */
export function checkNamed({ info }: Call, body: any, kind: string) {
  if (body.metadata?.name === info.name) return;
  throw badRequest(`name in URL does not match name in ${kind} object`);
}
