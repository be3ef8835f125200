// Objects with something of everything that patches treat in a way of their own.
const metadata = (name: string) => ({
  name,
  labels: { app: "a", tier: "b" },
  annotations: { note: "n" },
  finalizers: ["example.com/held"],
});

const container = (name: string) => ({
  name,
  image: "busybox",
  args: ["a", "b"],
  env: [
    { name: "A", value: "1" },
    { name: "B", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
  ],
  ports: [{ containerPort: 80 }, { containerPort: 81, protocol: "UDP" }],
  resources: { limits: { cpu: "1", memory: "1Gi" } },
  volumeMounts: [{ name: "v", mountPath: "/v" }],
});

const podSpec = {
  containers: [container("one"), container("two")],
  volumes: [{ name: "v", emptyDir: {} }],
  tolerations: [{ key: "a", operator: "Exists" }],
};

/** Where to create it, and what. */
export const samples: [path: string, sample: object][] = [
  ["/api/v1/namespaces/default/configmaps", { metadata: metadata("c"), data: { a: "b", c: "d" } }],
  ["/api/v1/namespaces/default/pods", { metadata: metadata("p"), spec: podSpec }],
  [
    "/apis/apps/v1/namespaces/default/deployments",
    {
      metadata: metadata("d"),
      spec: {
        selector: { matchLabels: { app: "a" } },
        template: { metadata: { labels: { app: "a" } }, spec: podSpec },
      },
    },
  ],
  [
    "/api/v1/namespaces/default/services",
    {
      metadata: metadata("s"),
      spec: {
        selector: { app: "a" },
        ports: [
          { name: "http", port: 80, targetPort: "web" },
          { name: "dns", port: 53, protocol: "UDP" },
        ],
      },
    },
  ],
  [
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    {
      metadata: metadata("r"),
      rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
    },
  ],
  [
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    {
      metadata: { ...metadata("things.example.com"), finalizers: [] },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList" },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: "object",
                properties: {
                  spec: {
                    type: "object",
                    properties: {
                      size: { type: "integer", minimum: 1, default: 3 },
                      names: { type: "array", items: { type: "string" }, maxItems: 5 },
                    },
                  },
                },
              },
            },
          },
        ],
      },
    },
  ],
];
