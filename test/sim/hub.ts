// The hub of a simulated fleet: a whole API server with its controllers and the hub wing, as `kerb up --hub` has
// them, and RBAC on.
import { X509Certificate } from "node:crypto";
import type { Client } from "../../src/client/client.ts";
import type { Connection } from "../../src/client/kubeconfig.ts";
import { localClient } from "../../src/client/local.ts";
import { managedClusters } from "../../src/hub/kinds/resources.ts";
import { anySiteGroup, siteGroup } from "../../src/hub/names.ts";
import type { TakeBackup } from "../../src/hub/operations/site-backup.ts";
import { fingerprintOf } from "../../src/hub/registration/lineage.ts";
import { returningSite } from "../../src/hub/registration/returning.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { silent } from "../../src/lib/log.ts";
import { StatusError } from "../../src/lib/status-error.ts";
import { startControl } from "../../src/main/site/control.ts";
import { controlHub } from "../../src/main/wings/hub.ts";
import { addressesOf } from "../../src/main/site/site-settings.ts";
import { sitePermissions } from "../../src/main/site/token-permissions.ts";
import { subjectOf } from "../../src/server/auth/x509.ts";
import { Machine } from "./machine.ts";
import type { MachineOptions } from "./machine.ts";

export const hubUrl = "https://hub";

/** A token for one site is its acceptance; `stranger` introduces a site and no more. */
export const tokenOf = (site: string, isStranger: boolean) =>
  isStranger ? "stranger" : `site:${site}`;

function userOfToken(token: string) {
  const [, site] = token.split(":");
  const groups = [anySiteGroup, ...(site ? [siteGroup(site)] : [])];
  return { name: "system:bootstrap:sim", groups: ["system:bootstrappers", ...groups] };
}

/** Whom a certificate names, and when it is valid: read once, since a fleet shows a million. */
function readCertificate(pem: string) {
  const certificate = new X509Certificate(pem);
  const { commonName, organizations } = subjectOf(certificate);
  return {
    user: {
      name: commonName,
      groups: [...organizations],
      extra: { "authentication.kubernetes.io/credential-id": [fingerprintOf(pem)] },
    },
    from: Date.parse(certificate.validFrom),
    to: Date.parse(certificate.validTo),
  };
}

export class Hub {
  readonly machine: Machine;
  /** What it does when it is to back a site up. */
  takeBackup: TakeBackup = async () => "nothing";
  /** Whether invitations are still good. */
  tokensHold = true;
  readonly #clock: Clock;
  readonly #certificates = new Map<string, ReturnType<typeof readCertificate>>();

  constructor(options: MachineOptions) {
    const { clock, random, pki } = options;
    this.#clock = clock;
    this.machine = new Machine(options, async ({ client, discover, informers, scope }) => {
      const parts = { informers, clock, random, log: silent, scope };
      const plane = { client, discover, pki };
      await startControl({ plane, addresses: addressesOf(0), ...parts });
      await controlHub({ plane, ...parts }, (site, keep) => this.takeBackup(site, keep));
    });
  }

  /** The hub as the holder of these credentials has it. Throws Unauthorized, or ServiceUnavailable. */
  as({ cert, token }: Connection): Client {
    const running = this.machine.running;
    if (!running) throw new StatusError("ServiceUnavailable", "the hub is down");
    const user = cert ? this.#userOf(cert) : this.#userOfToken(token!());
    const groups = [...user.groups, "system:authenticated"];
    return localClient(running.server, { ...user, groups }, "kerb-agent");
  }

  #userOfToken(token: string) {
    if (this.tokensHold) return userOfToken(token);
    throw new StatusError("Unauthorized", "the token is over");
  }

  #userOf(pem: string) {
    const known = this.#certificates.get(pem) ?? readCertificate(pem);
    this.#certificates.set(pem, known);
    const now = this.#clock.now();
    if (known.from <= now && now <= known.to) return known.user;
    const returning = now > known.to && returningSite(known.user);
    if (returning) return returning;
    throw new StatusError("Unauthorized", "the certificate is not valid now");
  }

  async permit() {
    const client = this.machine.client()!;
    for (const [plural, object] of sitePermissions) {
      await client.create(
        { group: "rbac.authorization.k8s.io", version: "v1", resource: plural },
        object,
      );
    }
  }

  /** As `kerb token create --site` does: whoever makes a token for a site accepts the site. */
  async invite(name: string, labels: Record<string, string>) {
    await this.machine.client()!.create(managedClusters, {
      apiVersion: "cluster.open-cluster-management.io/v1",
      kind: "ManagedCluster",
      metadata: { name, labels },
      spec: { hubAcceptsClient: true },
    });
  }
}
