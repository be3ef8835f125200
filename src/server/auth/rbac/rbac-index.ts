// Roles and bindings as the authorizer needs them: bindings by whom they name, roles by name. It follows
// the store by subscription, so a decision reads memory and a grant holds from the moment its write is
// acknowledged.
import type { KubeObject } from "../../../kinds/object.ts";
import { compileSelector, type LabelSelector } from "../../../lib/label-selector.ts";
import { parseShared } from "../../../lib/parse-shared.ts";
import type { Scope } from "../../../lib/scope.ts";
import type { Store, StoreEvent } from "../../../store/store.ts";
import type { User } from "../../request.ts";
import type { PolicyRule } from "./rules.ts";

export const rbacGroup = "rbac.authorization.k8s.io";

export interface RoleRef {
  kind: string;
  name: string;
}

interface BindingSubject {
  kind: string;
  name: string;
  namespace?: string;
}

/** A binding that names a user, and the subject by which it does. */
export interface Grant {
  /** "" for a ClusterRoleBinding. */
  namespace: string;
  name: string;
  roleRef: RoleRef;
  subject: string;
}

const resources = ["clusterroles", "clusterrolebindings", "roles", "rolebindings"] as const;
type RbacResource = (typeof resources)[number];

/** Whom a subject means: service accounts are users with a long name. */
function holderOf(subject: BindingSubject, namespace: string): string {
  if (subject.kind !== "ServiceAccount") return `${subject.kind}:${subject.name}`;
  return `User:system:serviceaccount:${subject.namespace ?? namespace}:${subject.name}`;
}

const subjectText = (subject: BindingSubject, namespace: string) =>
  subject.kind === "ServiceAccount"
    ? `ServiceAccount "${subject.name}/${subject.namespace ?? namespace}"`
    : `${subject.kind} ${JSON.stringify(subject.name)}`;

export class RbacIndex {
  readonly #roles = new Map<string, KubeObject>();
  readonly #bindings = new Map<string, KubeObject>();
  readonly #grants = new Map<string, Map<string, Grant>>();
  readonly #aggregated = new Map<string, PolicyRule[]>();

  /** Fills the index and keeps it until `scope` closes. */
  static async open(store: Store, scope: Scope): Promise<RbacIndex> {
    const index = new RbacIndex();
    for (const resource of resources) {
      const prefix = `${resource}.${rbacGroup}/`;
      let waiting: StoreEvent[] | undefined = [];
      const take = (events: StoreEvent[]) => {
        for (const { type, key, value } of events) {
          index.apply(resource, key.slice(prefix.length), type === "delete" ? undefined : value);
        }
      };
      scope.defer(
        store.subscribe(
          prefix,
          (events) => void (waiting ? waiting.push(...events) : take(events)),
        ),
      );
      const { entries, revision } = await store.list(prefix);
      for (const { key, value } of entries) index.apply(resource, key.slice(prefix.length), value);
      take(waiting.filter((event) => event.revision > revision));
      waiting = undefined;
    }
    return index;
  }

  /** `path` is `namespace/name`, or `name`; without `value` the object is gone. */
  apply(resource: RbacResource, path: string, value: Uint8Array | KubeObject | undefined) {
    const object = value instanceof Uint8Array ? parseShared<KubeObject>(value) : value;
    const isRole = resource === "roles" || resource === "clusterroles";
    const objects = isRole ? this.#roles : this.#bindings;
    if (isRole) this.#aggregated.clear();
    else this.#setGrants(path, objects.get(path), object);
    if (object) objects.set(path, object);
    else objects.delete(path);
  }

  #setGrants(path: string, old: KubeObject | undefined, binding: KubeObject | undefined) {
    const slash = path.indexOf("/");
    const namespace = slash < 0 ? "" : path.slice(0, slash);
    for (const subject of (old?.["subjects"] ?? []) as BindingSubject[]) {
      const holder = holderOf(subject, namespace);
      const grants = this.#grants.get(holder);
      grants?.delete(path);
      if (grants?.size === 0) this.#grants.delete(holder);
    }
    if (!binding) return;
    for (const subject of (binding["subjects"] ?? []) as BindingSubject[]) {
      const holder = holderOf(subject, namespace);
      let grants = this.#grants.get(holder);
      if (!grants) this.#grants.set(holder, (grants = new Map()));
      grants.set(path, {
        namespace,
        name: binding.metadata.name,
        roleRef: binding["roleRef"],
        subject: subjectText(subject, namespace),
      });
    }
  }

  /** The bindings that hold for `user` in `namespace` ("" for cluster-scoped requests). */
  *grants(user: User, namespace: string): Generator<Grant> {
    const holders = [`User:${user.name}`, ...user.groups.map((group) => `Group:${group}`)];
    for (const holder of holders) {
      for (const grant of this.#grants.get(holder)?.values() ?? []) {
        if (grant.namespace === "" || grant.namespace === namespace) yield grant;
      }
    }
  }

  /** The rules of a role as seen from a binding in `namespace`; undefined when there is no such role. */
  rules({ kind, name }: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    if (kind === "Role") return this.#rulesOf(this.#roles.get(`${namespace}/${name}`));
    return this.#rulesOf(this.#roles.get(name));
  }

  /** Everything `user` may do in `namespace`, and what is wrong with the bindings. */
  rulesFor(user: User, namespace: string) {
    const rules: PolicyRule[] = [];
    const errors: string[] = [];
    for (const grant of this.grants(user, namespace)) {
      const granted = this.rules(grant.roleRef, grant.namespace);
      if (granted) rules.push(...granted);
      else errors.push(missingRole(grant.roleRef));
    }
    return { rules, errors };
  }

  #rulesOf(role: KubeObject | undefined): readonly PolicyRule[] | undefined {
    if (!role) return undefined;
    if (!role["aggregationRule"]) return role["rules"] ?? [];
    let rules = this.#aggregated.get(role.metadata.name);
    if (!rules) {
      rules = this.#aggregate(role);
      this.#aggregated.set(role.metadata.name, rules);
    }
    return rules;
  }

  /**
   * The rules of every ClusterRole that `role` selects, however deep (admin selects edit, which selects
   * view). `above` are the roles on the way here: two that select each other must not turn in circles.
   */
  #aggregate(role: KubeObject, above: string[] = []): PolicyRule[] {
    const selectors: LabelSelector[] = role["aggregationRule"].clusterRoleSelectors ?? [];
    const matchers = selectors.map(compileSelector);
    const path = [...above, role.metadata.name];
    const rules: PolicyRule[] = [];
    for (const [name, other] of this.#roles) {
      if (name.includes("/") || path.includes(name)) continue;
      if (!matchers.some((matches) => matches(other.metadata.labels))) continue;
      const nested = other["aggregationRule"] && this.#aggregate(other, path);
      rules.push(...(nested ?? other["rules"] ?? []));
    }
    return rules;
  }
}

export const missingRole = ({ kind, name }: RoleRef) =>
  `${kind.toLowerCase()}.${rbacGroup} ${JSON.stringify(name)} not found`;
