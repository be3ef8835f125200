import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../../kinds/object.ts";
import type { AdmissionRequest, Attributes } from "../../policy.ts";
import type { User } from "../../request.ts";
import { reconciled } from "../bootstrap.ts";
import { forbiddenError } from "../forbidden.ts";
import { createAuthorizer } from "./authorizer.ts";
import { defaultRbacObjects } from "./default-objects.ts";
import { rbacEscalation } from "./escalation.ts";
import { RbacIndex } from "./rbac-index.ts";
import { evaluate, uncovered } from "./rules.ts";

/** `get pods/log.apps default/web-1` or `get /healthz`. */
function asked(text: string): Attributes {
  const [verb, what = "", where = "/"] = text.split(" ");
  const none = { group: "", version: "v1", resource: "", subresource: "", path: "" };
  if (what.startsWith("/")) return { ...none, verb: verb!, namespace: "", name: "", path: what };
  const [resource, ...group] = what.split("/")[0]!.split(".");
  const [namespace, name] = where.split("/");
  return {
    ...none,
    verb: verb!,
    resource: resource!,
    group: group.join("."),
    subresource: what.split("/")[1] ?? "",
    namespace: namespace!,
    name: name ?? "",
  };
}

const rule = (verbs: string, group: string, resources: string, names?: string) => ({
  verbs: verbs.split(" "),
  apiGroups: [group],
  resources: resources.split(" "),
  ...(names && { resourceNames: names.split(" ") }),
});

test("a rule allows what it names and nothing else", () => {
  const urls = (...nonResourceURLs: string[]) => ({ verbs: ["get"], nonResourceURLs });
  const table: [boolean, ReturnType<typeof rule> | ReturnType<typeof urls>, string][] = [
    [true, rule("get", "", "pods"), "get pods default/web"],
    [false, rule("get", "", "pods"), "list pods default/"],
    [false, rule("get", "", "pods"), "get pods/log default/web"],
    [true, rule("get", "", "pods/log"), "get pods/log default/web"],
    [true, rule("get", "", "*/log"), "get pods/log default/web"],
    [false, rule("get", "", "*/log"), "get pods default/web"],
    [true, rule("get", "", "*"), "get pods/log default/web"],
    [false, rule("get", "", "pods"), "get pods.apps default/web"],
    [true, rule("*", "*", "*"), "escalate roles.rbac.authorization.k8s.io default/x"],
    [true, rule("get", "", "pods", "a b"), "get pods default/b"],
    [false, rule("get", "", "pods", "a b"), "get pods default/c"],
    [false, rule("list", "", "pods", "a b"), "list pods default/"],
    [false, rule("*", "*", "*"), "get /metrics"],
    [true, urls("/metrics"), "get /metrics"],
    [true, urls("/api/*"), "get /api/v1"],
    [false, urls("/api/*"), "get /api"],
    [true, urls("*"), "get /anything"],
    [false, urls("/*"), "get pods default/web"],
  ];
  for (const [allowed, one, text] of table) {
    assert.equal(evaluate([one], asked(text)), allowed, `${JSON.stringify(one)} ${text}`);
  }
});

test("rules cover others atom by atom", () => {
  const table: [number, string, string][] = [
    [0, "get list", "get"],
    [1, "get", "get list"],
    [0, "*", "get list"],
    [1, "get list", "*"],
  ];
  for (const [missing, owner, wanted] of table) {
    const lacks = uncovered([rule(owner, "", "pods")], [rule(wanted, "", "pods")]);
    assert.equal(lacks.length, missing, `${owner} / ${wanted}`);
  }
  const named = [rule("get", "", "pods", "a")];
  assert.equal(uncovered(named, [rule("get", "", "pods")]).length, 1);
  assert.equal(uncovered([rule("get", "", "pods")], named).length, 0);
});

const plurals: Record<string, any> = {
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
  Role: "roles",
  RoleBinding: "rolebindings",
};

function indexOf(...objects: any[]) {
  const index = new RbacIndex();
  for (const object of objects) {
    const { namespace, name } = object.metadata;
    index.apply(plurals[object.kind], namespace ? `${namespace}/${name}` : name, object);
  }
  return index;
}

const bind = (role: string, namespace: string, subject: object) => ({
  kind: "RoleBinding",
  metadata: { name: role, namespace },
  roleRef: { kind: "ClusterRole", name: role },
  subjects: [subject],
});

const jane: User = { name: "jane", groups: ["system:authenticated"] };
const user = (kind: string, name: string, namespace?: string) => ({ kind, name, namespace });

test("the default roles let each kind of user do its work and no more", async () => {
  const index = indexOf(
    ...defaultRbacObjects(),
    bind("view", "default", user("User", "viewer")),
    bind("edit", "default", user("Group", "editors")),
    bind("admin", "default", user("ServiceAccount", "boss")),
  );
  const authorize = createAuthorizer(index);
  const users: Record<string, User> = {
    anonymous: { name: "system:anonymous", groups: ["system:unauthenticated"] },
    jane,
    viewer: { name: "viewer", groups: [] },
    editor: { name: "ed", groups: ["editors"] },
    admin: { name: "system:serviceaccount:default:boss", groups: [] },
    node: { name: "system:node:a", groups: ["system:nodes"] },
    scheduler: { name: "system:kube-scheduler", groups: [] },
    root: { name: "kubernetes-admin", groups: ["system:masters"] },
  };
  const table: [boolean, string, string][] = [
    [true, "anonymous", "get /healthz"],
    [true, "anonymous", "get /version"],
    [false, "anonymous", "get /metrics"],
    [false, "anonymous", "get /api"],
    [false, "anonymous", "list pods default/"],
    [true, "jane", "get /api/v1"],
    [true, "jane", "create selfsubjectaccessreviews.authorization.k8s.io"],
    [false, "jane", "list pods default/"],
    [true, "viewer", "list pods default/"],
    [true, "viewer", "get pods/log default/web"],
    [true, "viewer", "get deployments.apps default/web"],
    [false, "viewer", "get secrets default/s"],
    [false, "viewer", "list pods other/"],
    [false, "viewer", "create pods default/"],
    [true, "editor", "create deployments.apps default/"],
    [true, "editor", "get secrets default/s"],
    [true, "editor", "get pods/exec default/web"],
    [true, "editor", "list configmaps default/"],
    [false, "editor", "create roles.rbac.authorization.k8s.io default/"],
    [true, "admin", "create roles.rbac.authorization.k8s.io default/"],
    [true, "admin", "delete pods default/web"],
    [false, "admin", "list nodes"],
    [false, "node", "patch nodes/status /a"],
    [false, "node", "create deployments.apps default/"],
    [true, "scheduler", "create pods/binding default/web"],
    [true, "root", "deletecollection nodes"],
  ];
  for (const [allowed, who, text] of table) {
    const decision = await authorize(users[who]!, asked(text));
    assert.equal(decision.allowed, allowed, `${who} ${text}`);
  }
});

test("a binding taken back no longer grants, and one to no role says so", async () => {
  const binding = bind("view", "default", user("User", "jane"));
  const index = indexOf(...defaultRbacObjects(), binding);
  const authorize = createAuthorizer(index);
  const first = await authorize(jane, asked("get pods default/a"));
  assert.equal(
    first.reason,
    'RBAC: allowed by RoleBinding "view/default" of ClusterRole "view" to User "jane"',
  );
  index.apply("rolebindings", "default/view", undefined);
  assert.equal((await authorize(jane, asked("get pods default/a"))).allowed, false);
  index.apply("rolebindings", "default/gone", bind("gone", "default", user("User", "jane")) as any);
  const { reason } = await authorize(jane, asked("get pods default/a"));
  assert.equal(reason, 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found');
});

test("a role labelled for aggregation widens the role that selects it", async () => {
  const label = { "rbac.authorization.k8s.io/aggregate-to-view": "true" };
  const index = indexOf(...defaultRbacObjects(), bind("admin", "default", user("User", "jane")), {
    kind: "ClusterRole",
    metadata: { name: "crontabs", labels: label },
    rules: [rule("get", "stable.example.com", "crontabs")],
  });
  const decision = await createAuthorizer(index)(
    jane,
    asked("get crontabs.stable.example.com default/x"),
  );
  assert.equal(decision.allowed, true);
});

test("roles that select each other come to an end", () => {
  const role = (name: string, other: string) => ({
    kind: "ClusterRole",
    metadata: { name, labels: { [name]: "" } },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [other]: "" } }] },
  });
  const index = indexOf(role("a", "b"), role("b", "a"));
  assert.deepEqual(index.rules({ kind: "ClusterRole", name: "a" }, ""), []);
});

test("the refusal says who cannot do what, where", () => {
  const table: [string, string][] = [
    [
      "list pods default/",
      'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
    ],
    [
      "get deployments.apps/scale default/web",
      'deployments.apps "web" is forbidden: User "jane" cannot get resource "deployments/scale" in API group "apps" in the namespace "default"',
    ],
    [
      "list nodes",
      'nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope',
    ],
    ["get /metrics", 'forbidden: User "jane" cannot get path "/metrics"'],
  ];
  for (const [text, message] of table) {
    assert.equal(forbiddenError(jane, asked(text)).message, message);
  }
});

test("nobody grants what they do not have", async () => {
  const index = indexOf(...defaultRbacObjects(), bind("admin", "default", user("User", "jane")));
  const plugin = rbacEscalation(index, createAuthorizer(index));
  const write = (kind: string, object: object) =>
    plugin.validate!({
      kind: { group: "rbac.authorization.k8s.io", plural: plurals[kind], kind },
      operation: "CREATE",
      object: object as KubeObject,
      namespace: "default",
      name: "x",
      user: jane,
    } as AdmissionRequest);
  await write("Role", { rules: [rule("get", "", "pods")] });
  await assert.rejects(write("Role", { rules: [rule("get", "", "nodes")] }), {
    message:
      'roles.rbac.authorization.k8s.io "x" is forbidden: user "jane" (groups=["system:authenticated"]) ' +
      "is attempting to grant RBAC permissions not currently held:\n" +
      '{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}',
  });
  await write("RoleBinding", bind("view", "default", user("User", "joe")));
  await assert.rejects(
    write("RoleBinding", bind("cluster-admin", "default", user("User", "joe"))),
    /attempting to grant RBAC permissions/,
  );
  await assert.rejects(write("RoleBinding", bind("none", "default", user("User", "joe"))), {
    message: 'clusterroles.rbac.authorization.k8s.io "none" not found',
  });
});

test("reconciling adds what is missing, keeps what was added, and else changes nothing", () => {
  const wanted = defaultRbacObjects().find(({ metadata }) => metadata!.name === "system:node")!;
  const stored = structuredClone(wanted) as KubeObject;
  assert.equal(reconciled(stored, wanted), undefined);
  const changed = { ...stored, rules: [...stored["rules"].slice(1), rule("get", "", "mine")] };
  const next = reconciled(changed, wanted)!;
  assert.deepEqual(next["rules"].at(-1), wanted["rules"][0]);
  assert.ok(evaluate(next["rules"], asked("get mine")));
  stored.metadata.annotations = { "rbac.authorization.kubernetes.io/autoupdate": "false" };
  assert.equal(reconciled({ ...changed, metadata: stored.metadata }, wanted), undefined);
});
