// Builds are judged by the kustomize in kubectl where that is at hand, and by what is known of it elsewhere.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { builtinKinds } from "../../kinds/kinds.ts";
import { strategicMerge } from "../../main/strategic-merge.ts";
import { build } from "./build.ts";
import { keyOf } from "./object.ts";

const kubectl = join(import.meta.dirname, "../../../.cache/clients/kubectl");
const strategic = strategicMerge(builtinKinds());

const filesOf = (files: Record<string, string>) =>
  new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]));
const built = (files: Record<string, string>, path = "") =>
  build(path, { files: filesOf(files), strategic });

function judged(files: Record<string, string>, path: string): any[] {
  const folder = mkdtempSync(join(tmpdir(), "kerb-kustomize-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const out = execFileSync(kubectl, ["kustomize", join(folder, path)], { encoding: "utf8" });
    return parseAllDocuments(out).map((one) => one.toJS());
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const base = {
  "base/kustomization.yaml": `
resources: [web.yaml, more]
configMapGenerator:
- name: settings
  literals: [colour=red, "note=<a & b>"]
  files: [page.html, other=page.html]
- name: plain
  envs: [app.env]
  options: {disableNameSuffixHash: true, labels: {made: here}}
secretGenerator:
- {name: key, literals: [password=swordfish], type: Opaque}
`,
  "base/page.html": "<h1>hello</h1>\n",
  "base/app.env": "# a comment\nA=1\n\nB=two words\n",
  "base/web.yaml": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example:5000/shop/web:1.0
        envFrom: [{configMapRef: {name: settings}}]
        env: [{name: P, valueFrom: {secretKeyRef: {name: key, key: password}}}]
      - {name: side, image: "busybox@sha256:${"a".repeat(64)}"}
      volumes: [{name: v, configMap: {name: settings}}, {name: p, projected: {sources: [{configMap: {name: plain}}]}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`,
  "base/more/kustomization.yaml": "resources: [rbac.yaml]\n",
  "base/more/rbac.yaml": `
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reads}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reads}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reads}
subjects: [{kind: ServiceAccount, name: reader, namespace: default}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 0 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, serviceAccountName: reader, containers: [{name: a, image: busybox}]}}}}
`,
};

const overlay = {
  ...base,
  "overlay/kustomization.yaml": `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: store
namePrefix: farm-
nameSuffix: "-1"
resources: [../base]
labels:
- {pairs: {team: dairy}, includeSelectors: true}
- {pairs: {seen: "yes"}}
commonAnnotations: {by: hand}
images:
- {name: registry.example:5000/shop/web, newName: mirror/web, newTag: "2.0"}
- {name: busybox, newTag: "1.36"}
patches:
- path: replicas.yaml
- target: {kind: Service, name: web}
  patch: |
    - {op: replace, path: /spec/ports/0/port, value: 8080}
- target: {kind: Deployment, labelSelector: "team!=x"}
  patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: any}
    spec: {template: {spec: {containers: [{name: web, resources: {limits: {memory: 64Mi}}}]}}}
`,
  "overlay/replicas.yaml": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  template: {spec: {containers: [{name: extra, image: busybox}]}}
`,
};

/** The order of containers that patches brought is nobody's promise. */
function byKey(objects: any[]) {
  for (const { spec } of objects) {
    spec?.template?.spec?.containers?.sort((a: any, b: any) => (a.name < b.name ? -1 : 1));
  }
  return Object.fromEntries(objects.map((one) => [keyOf(one), one]));
}

for (const [what, files, path] of [
  ["a base with generators", base, "base"],
  ["an overlay with all that is supported", overlay, "overlay"],
] as const) {
  test(`${what} is built as kubectl's kustomize builds it`, { skip: !existsSync(kubectl) }, () => {
    const ours = JSON.parse(JSON.stringify(byKey(built(files, path))));
    assert.deepEqual(ours, byKey(judged(files, path)));
  });
}

test("names of generated objects end with their hash, and references follow", () => {
  const objects = built(base, "base");
  const settings = objects.find(({ metadata }) => metadata.name.startsWith("settings-"))!;
  assert.match(settings.metadata.name, /^settings-[a-z0-9]{10}$/);
  const web = objects.find(({ kind }) => kind === "Deployment")!;
  const [container] = web["spec"].template.spec.containers;
  assert.equal(container.envFrom[0].configMapRef.name, settings.metadata.name);
});

test("a folder without a kustomization is all of its YAML files", () => {
  const one = (name: string) => `{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}}}`;
  const objects = built(
    { "a/x.yaml": one("x"), "a/b/y.yml": one("y"), "a/readme.md": "", "z.yaml": one("z") },
    "./a",
  );
  assert.deepEqual(objects.map(({ metadata }) => metadata.name).sort(), ["x", "y"]);
});

const map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}";
for (const [what, files, why] of [
  [
    "helm charts",
    { "kustomization.yaml": "helmCharts: [{name: x}]" },
    /not supported here: .*helmCharts/,
  ],
  [
    "replacements and components",
    { "kustomization.yaml": "components: [x]\nreplacements: []" },
    /components, .*replacements/,
  ],
  [
    "a field of a part",
    { "kustomization.yaml": "images: [{name: a, tagSuffix: b}]" },
    /images\[0\]\.tagSuffix/,
  ],
  [
    "a resource from elsewhere",
    { "kustomization.yaml": "resources: ['https://example.com/a.yaml']" },
    /from elsewhere/,
  ],
  ["a way outside", { "kustomization.yaml": "resources: ['../../etc/passwd']" }, /leads outside/],
  [
    "a file that is not there",
    { "kustomization.yaml": "resources: [a.yaml]" },
    /there is no a\.yaml/,
  ],
  [
    "a patch for nobody",
    {
      "kustomization.yaml": `resources: [a.yaml]\npatches: [{patch: '${map.replace("a}", "b}")}'}]`,
      "a.yaml": map,
    },
    /no object is as/,
  ],
  [
    "the same object twice",
    { "kustomization.yaml": "resources: [a.yaml, b.yaml]", "a.yaml": map, "b.yaml": map },
    /there twice/,
  ],
  [
    "a circle",
    {
      "a/kustomization.yaml": "resources: [../b]",
      "b/kustomization.yaml": "resources: [../a]",
      "kustomization.yaml": "resources: [a]",
    },
    /includes itself/,
  ],
  ["what is no manifest", { "a.yaml": "hello: there" }, /a\.yaml: no apiVersion/],
  ["YAML that cannot be read", { "a.yaml": "a: [b" }, /a\.yaml: /],
  ["an empty folder", { "readme.md": "" }, undefined],
] as const) {
  test(`${what} is ${why ? "refused by name" : "nothing"}`, () => {
    if (why) assert.throws(() => built(files as Record<string, string>), why);
    else assert.deepEqual(built(files as Record<string, string>), []);
  });
}
