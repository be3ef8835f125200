// The three phases of an authority's replacement, with a rest after each for those who must learn of it.
import { restSecondsDefault } from "../../kinds/operation.ts";
import type { OperationStatus } from "../../kinds/site-operation.ts";
import { complete, notKerb, running } from "./host.ts";
import type { AuthorityPhase, CarryOut } from "./host.ts";

export type Next = { do: "advance" } | { do: "note" } | { do: "done" } | { do: "rest"; ms: number };

/** What follows from what was written down and from where the site is. Pure. */
export function nextStep(
  { step, steppedAt }: OperationStatus,
  phase: AuthorityPhase,
  { restMs, now }: { restMs: number; now: number },
): Next {
  if (step === "IssueNew" && phase === "Settled") return { do: "done" };
  if (step === undefined && phase === "Settled") return { do: "advance" };
  // Begun by a person, or told to nobody when the power went.
  if (step !== phase) return { do: "note" };
  const leftMs = Date.parse(steppedAt ?? "") + restMs - now;
  return leftMs > 0 ? { do: "rest", ms: Math.min(leftMs, restMs) } : { do: "advance" };
}

const meaning = {
  Settled: "",
  TrustBoth: "the new authority is trusted too",
  IssueNew: "the new authority signs; the old one is still trusted",
};
const done = () => complete("only the new authority is trusted");

export const rotateAuthority: CarryOut = async ({ spec, status = {} }, { kerb, clock }) => {
  if (!kerb) return notKerb;
  const restMs = (spec.authority?.restSeconds ?? restSecondsDefault) * 1000;
  const { authority } = kerb;
  const next = nextStep(status, authority.phase(), { restMs, now: clock.now() });
  if (next.do === "done") return done();
  if (next.do === "advance") await authority.advance();
  const phase = authority.phase();
  if (phase === "Settled") return done();
  return running(phase, meaning[phase], next.do === "rest" ? next.ms : restMs);
};
