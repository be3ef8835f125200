import { Command, InvalidArgumentError } from "commander";
import { examples } from "./examples.ts";
import { dataDirOption } from "./up.ts";

export interface AuthorityReport {
  phase: "Settled" | "TrustBoth" | "IssueNew";
  /** The first signs. */
  authorities: string[];
  /** Machines that joined, without whom there is no next phase. */
  waitsFor: { name: string; awaySince?: string }[];
}

export interface AuthorityActions {
  state(directory: string): Promise<AuthorityReport>;
  advance(directory: string): Promise<AuthorityReport>;
  abandon(directory: string): Promise<AuthorityReport>;
  rotate(directory: string, restSeconds: number): AsyncGenerator<AuthorityReport>;
}

const meaning = {
  Settled: "one authority, which signs and is trusted",
  TrustBoth: "the next one is trusted already; the first still signs",
  IssueNew: "the new one signs; the previous one is still trusted",
};

const lacking = {
  Settled: "",
  TrustBoth: "does not trust the new one yet",
  IssueNew: "has no certificate of the new one yet",
};

function print({ phase, authorities, waitsFor }: AuthorityReport) {
  console.log(`${phase}: ${meaning[phase]}`);
  for (const hash of authorities) console.log(`  ${hash}`);
  for (const { name, awaySince } of waitsFor) {
    const away = awaySince ? `, and is away since ${awaySince}` : "";
    console.log(`  waiting for ${name}, which ${lacking[phase]}${away}`);
  }
  if (waitsFor.some(({ awaySince }) => awaySince))
    console.log("  a machine that does not come back is let go of by: kubectl delete node NAME");
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 0) return seconds;
  throw new InvalidArgumentError("a whole number of seconds is needed.");
}

interface Where {
  dataDir: string;
}

/** `kerb authority status | rotate | advance | abandon`. */
export function authorityCommand(directory: string, actions: AuthorityActions) {
  const authority = new Command("authority")
    .summary("rotate the certificate authority of a site")
    .description(
      "The certificate authority signs every certificate of a site. It is rotated without downtime.",
    )
    .addHelpText(
      "after",
      examples({
        "kerb authority rotate": "all three phases, twenty minutes apart",
        "kerb authority rotate --rest 60": "if every client learns of it within a minute",
        "kerb authority status": "show the progress",
      }),
    );
  const add = (name: string, summary: string, description: string) =>
    authority
      .command(name)
      .summary(summary)
      .description(description)
      .addOption(dataDirOption(directory));
  add(
    "status",
    "show the certificate authorities",
    "Shows which authorities are trusted and which one signs.",
  ).action(async ({ dataDir }: Where) => print(await actions.state(dataDir)));
  add(
    "rotate",
    "rotate the certificate authority",
    "Rotates the authority in three phases: trust the new one too, let it sign, trust it alone. Waits for machines " +
      "that joined and are unreachable; if interrupted, run it again and it resumes. Copies of " +
      "DIR/kubeconfig made before stop working; take new ones while both are trusted.",
  )
    .option(
      "--rest <seconds>",
      "pause between phases, in which clients learn of the change",
      parseSeconds,
      1200,
    )
    .action(async ({ dataDir, rest }: Where & { rest: number }) => {
      for await (const report of actions.rotate(dataDir, rest)) print(report);
    });
  add("advance", "do one phase", "Does the next phase alone.").action(async ({ dataDir }: Where) =>
    print(await actions.advance(dataDir)),
  );
  add(
    "abandon",
    "give up a rotation",
    "Gives up a rotation whose new authority signs nothing yet.",
  ).action(async ({ dataDir }: Where) => print(await actions.abandon(dataDir)));
  return authority;
}
