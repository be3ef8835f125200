// From a question to its answer: the cluster's own zone, other servers for the rest, and for a pod that goes
// through its search path all of that path at once (CoreDNS' autopath), so that one question does for five.
import packet from "dns-packet";
import { failure, isNotThere, reply } from "./dns-message.ts";
import type { Query } from "./dns-message.ts";
import { Upstream } from "./dns-upstream.ts";
import type { UpstreamOptions } from "./dns-upstream.ts";
import { answerQuestion } from "./dns-zone.ts";
import type { DnsAnswer, DnsRecord, DnsSource } from "./dns-zone.ts";

export interface ResolverOptions extends UpstreamOptions {
  source: DnsSource;
}

const pathTtlSeconds = 5;

/** What a pod asks next when there is no `question`, which it made by the first of its search domains. Pure. */
export function nextQuestions(question: string, namespace: string, domain: string): string[] {
  const first = `.${namespace}.svc.${domain}`;
  if (!question.endsWith(first)) return [];
  const base = question.slice(0, -first.length);
  // A name of this very zone was meant as it stands.
  if (base === "" || base.startsWith("_")) return [];
  return [`${base}.svc.${domain}`, `${base}.${domain}`, base];
}

const alias = (name: string, data: string): DnsRecord => ({
  name,
  type: "CNAME",
  ttl: pathTtlSeconds,
  data,
});

export class Resolver {
  readonly #source: DnsSource;
  readonly #upstream: Upstream;

  constructor(options: ResolverOptions) {
    this.#source = options.source;
    this.#upstream = new Upstream(options);
  }

  /** `client` is the address that asks. */
  async resolve(message: Buffer, client: string): Promise<{ query: Query; response: Buffer }> {
    const query = packet.decode(message);
    const question = query.questions?.[0];
    if (!question) return { query, response: failure(query) };
    const { name, type } = question;
    const { domain } = this.#source;
    const answer = answerQuestion(this.#source, name, type);
    if (!answer) {
      const response = (await this.#upstream.ask(message, name)) ?? failure(query);
      return { query, response };
    }
    const found = answer.code === "NXDOMAIN" && (await this.#onPath(query, name, type, client));
    return { query, response: reply(query, found || answer, domain) };
  }

  async #onPath(
    query: Query,
    name: string,
    type: string,
    client: string,
  ): Promise<DnsAnswer | undefined> {
    if (type !== "A" && type !== "AAAA") return undefined;
    const namespace = this.#source.namespaceOf(client);
    if (namespace === undefined) return undefined;
    const { domain } = this.#source;
    for (const next of nextQuestions(name.toLowerCase(), namespace, domain)) {
      const own = answerQuestion(this.#source, next, type);
      if (own?.code === "NXDOMAIN") continue;
      const answers = own ? own.answers : await this.#elsewhere(query, next, type);
      if (answers === undefined) return undefined;
      if (answers.length === 0 && !own) continue;
      return { code: "NOERROR", answers: [alias(name, next), ...answers], additionals: [] };
    }
    return undefined;
  }

  /** What other servers know of a name; empty when nothing, undefined when none answers. */
  async #elsewhere(query: Query, name: string, type: string): Promise<DnsRecord[] | undefined> {
    if (!this.#upstream.answers) return undefined;
    const question = packet.encode({
      type: "query",
      id: query.id ?? 0,
      flags: packet.RECURSION_DESIRED,
      questions: [{ name, type: type as "A" }],
    });
    const response = await this.#upstream.ask(question, name);
    if (!response) return undefined;
    if (isNotThere(response)) return [];
    return (packet.decode(response).answers ?? []) as unknown as DnsRecord[];
  }
}
