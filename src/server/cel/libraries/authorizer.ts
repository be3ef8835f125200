// `authorizer.group('apps').resource('deployments').check('create').allowed()`: what the caller may do.
//
// Evaluation never waits, and authorization may. So a question without an answer yet is noted and taken for
// a no; whoever evaluates lets the questions be answered and evaluates again, until none is open.
import type { Environment } from "@marcbachmann/cel-js";
import type { Attributes, Authorize } from "../../policy.ts";
import type { User } from "../../request.ts";

/** Rounds of questions that depend on answers. */
const roundsMax = 16;

interface Answer {
  allowed: boolean;
  reason: string;
  error?: string;
}

interface Question {
  user: User;
  attributes: Attributes;
}

const unknown: Answer = { allowed: false, reason: "" };

class Answers {
  readonly #known = new Map<string, Answer>();
  readonly #open = new Map<string, Question>();

  ask(question: Question): Answer {
    const key = JSON.stringify(question);
    const known = this.#known.get(key);
    if (!known) this.#open.set(key, question);
    return known ?? unknown;
  }

  /** True when there were open questions; they are answered now. */
  async settle(authorize: Authorize): Promise<boolean> {
    if (this.#open.size === 0) return false;
    for (const [key, { user, attributes }] of this.#open) {
      const answer = await authorize(user, attributes).catch((error) => ({
        ...unknown,
        error: String(error?.message ?? error),
      }));
      this.#known.set(key, answer);
    }
    this.#open.clear();
    return true;
  }
}

/** Resolves with what `work` gives once everything it asks has its answer. */
export async function withAnswers<T>(
  authorize: Authorize,
  work: (answers: Answers) => T,
): Promise<T> {
  const answers = new Answers();
  for (let round = 0; round < roundsMax; round++) {
    let outcome: () => T;
    try {
      const value = work(answers);
      outcome = () => value;
    } catch (error) {
      outcome = () => {
        throw error;
      };
    }
    if (!(await answers.settle(authorize))) return outcome();
  }
  throw new Error(`the authorizer is asked in more than ${roundsMax} rounds`);
}

const nowhere: Attributes = {
  verb: "",
  group: "",
  version: "*",
  resource: "",
  subresource: "",
  namespace: "",
  name: "",
  path: "",
};

/** Something that may be asked about: a path, a group, a resource. */
class Check {
  readonly by: Asker;
  readonly attributes: Attributes;
  constructor(by: Asker, attributes: Attributes) {
    this.by = by;
    this.attributes = attributes;
  }
  with(more: Partial<Attributes>): Attributes {
    return { ...this.attributes, ...more };
  }
}
class PathCheck extends Check {}
class GroupCheck extends Check {}
class ResourceCheck extends Check {}

interface Asker {
  user: User;
  answers: Answers;
}

class Decision {
  readonly answer: Answer;
  constructor(answer: Answer) {
    this.answer = answer;
  }
}

class Authorizer {
  readonly user: User;
  readonly answers: Answers;
  readonly requestResource: ResourceCheck;
  constructor({ user, answers }: Asker, resource: Partial<Attributes>) {
    this.user = user;
    this.answers = answers;
    this.requestResource = new ResourceCheck(this, { ...nowhere, ...resource });
  }
}

export type { Answers };

/** The value of `authorizer`; `resource` is what the request is about. */
export const authorizerOf = (answers: Answers, user: User, resource: Partial<Attributes>) =>
  new Authorizer({ user, answers }, resource);

const serviceAccount = (namespace: string, name: string): User => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
});

const names = "kubernetes.authorization";
/** The type of `authorizer`. */
export const authorizerType = `${names}.Authorizer`;

export function addAuthorizer(environment: Environment) {
  const type = (name: string, ctor: unknown, fields: Record<string, string> = {}) =>
    environment.registerType(`${names}.${name}`, { ctor, fields } as never);
  type("Decision", Decision);
  type("PathCheck", PathCheck);
  type("ResourceCheck", ResourceCheck);
  type("GroupCheck", GroupCheck);
  type("Authorizer", Authorizer, { requestResource: `${names}.ResourceCheck` });
  const method = (signature: string, run: (...args: any[]) => unknown) => {
    const [call = "", result = ""] = signature.split(": ");
    const type = /^[A-Z]/.test(result) ? `${names}.${result}` : result;
    environment.registerFunction(`${names}.${call}: ${type}`, run);
  };
  method("Authorizer.path(string): PathCheck", (by: Authorizer, path: string) => {
    if (path === "") throw new Error("path must not be empty");
    return new PathCheck(by, { ...nowhere, version: "", path });
  });
  method(
    "Authorizer.group(string): GroupCheck",
    (by: Authorizer, group: string) => new GroupCheck(by, { ...nowhere, group }),
  );
  method(
    "Authorizer.serviceAccount(string, string): Authorizer",
    ({ answers, requestResource }: Authorizer, namespace: string, name: string) =>
      authorizerOf(answers, serviceAccount(namespace, name), requestResource.attributes),
  );
  method(
    "GroupCheck.resource(string): ResourceCheck",
    (group: GroupCheck, resource: string) => new ResourceCheck(group.by, group.with({ resource })),
  );
  for (const field of ["subresource", "namespace", "name"] as const) {
    method(
      `ResourceCheck.${field}(string): ResourceCheck`,
      (check: ResourceCheck, value: string) =>
        new ResourceCheck(check.by, check.with({ [field]: value })),
    );
  }
  for (const kind of ["PathCheck", "ResourceCheck"]) {
    method(`${kind}.check(string): Decision`, (check: Check, verb: string) => {
      const { user, answers } = check.by;
      return new Decision(answers.ask({ user, attributes: check.with({ verb }) }));
    });
  }
  method("Decision.allowed(): bool", ({ answer }: Decision) => answer.allowed);
  method("Decision.reason(): string", ({ answer }: Decision) => answer.reason);
  method("Decision.errored(): bool", ({ answer }: Decision) => answer.error !== undefined);
  method("Decision.error(): string", ({ answer }: Decision) => answer.error ?? "");
}
