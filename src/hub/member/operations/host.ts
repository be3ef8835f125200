// What a Kerb can do to itself when its hub asks. Clusters of others have no such thing.
import type { Client } from "../../../client/client.ts";
import type { Connection } from "../../../client/kubeconfig.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { OptionValues, Setting } from "../../../lib/configurable-options.ts";
import type { Operation } from "../../kinds/operation.ts";
import type { OperationStatus, SiteOperation } from "../../kinds/site-operation.ts";

export type AuthorityPhase = "Settled" | "TrustBoth" | "IssueNew";

export interface KerbHost {
  releases: {
    report(): {
      version: string;
      trying?: { version: string };
      failed?: { version: string; message: string };
    };
    /** Fetches, proves and unpacks it beside what runs. A path is the hub's own. */
    stage(release: NonNullable<Operation["release"]>, hub: Connection): Promise<void>;
    /** Returns before the site stops to become it. */
    become(version: string): void;
  };
  configuration: {
    report(): {
      good: OptionValues;
      /** The change that proved itself last. */
      proved?: string;
      trying?: { change: string };
      failed?: { change: string; message: string };
      /** Options that it keeps from its command line. */
      commandLine: string[];
    };
    /** Undefined when that is what the site has. Throws for what cannot be. */
    plan(settings: Setting[]): OptionValues | undefined;
    /** Returns before the site stops to start anew. */
    request(change: string, settings: Setting[]): void;
  };
  authority: { phase(): AuthorityPhase; advance(): Promise<unknown> };
  /** Resolves with what was written where. */
  backup(keep: number): Promise<string>;
}

export interface OperationSite {
  client: Client;
  kerb?: KerbHost;
  hub: Connection;
  clock: Clock;
}

/** What became of one look at an operation. */
export interface Progress extends Pick<OperationStatus, "phase" | "step" | "message"> {
  /** Look again after this; at once when absent and it still runs. */
  againMs?: number;
  /** Done when all of the above is written down at the hub: what may end this process. */
  after?: () => void;
}

export type CarryOut = (operation: SiteOperation, site: OperationSite) => Promise<Progress>;

export const running = (step: string, message: string, againMs?: number): Progress => ({
  ...{ phase: "Running", step, message },
  ...(againMs !== undefined && { againMs }),
});
export const complete = (message: string): Progress => ({ phase: "Complete", message });
export const failed = (message: string): Progress => ({ phase: "Failed", message });
export const notKerb = failed("this cluster is no Kerb that runs itself");
