// What runs on the three machines of the story. Its timeouts are short, so that a cut outlasts them all.

/** What follows a word in a list of YAML in one line. */
const away = (key: string) =>
  `{key: node.kubernetes.io/${key}, operator: Exists, effect: NoExecute, tolerationSeconds: 5}`;
const tolerations = `tolerations: [${away("unreachable")}, ${away("not-ready")}]`;

const serve =
  "mkdir -p /tmp/www; (while true; do echo $(hostname) $(cat /config/greeting) $PASSWORD > /tmp/www/next; " +
  "mv /tmp/www/next /tmp/www/index.html; sleep 1; done) & exec httpd -f -p 8080 -h /tmp/www";

export const web = (replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 4
      ${tolerations}
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, nodeTaintsPolicy: Honor, labelSelector: {matchLabels: {app: web}}}
      volumes: [{name: config, configMap: {name: web}}]
      containers:
      - name: main
        image: busybox:kerb
        command: [sh, -c, "${serve}"]
        env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: web, key: password}}}]
        volumeMounts: [{name: config, mountPath: /config}]
        readinessProbe: {httpGet: {port: 8080, path: /}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 3}}}
`;

/** Only clients may ask, and who else is named. */
export const policy = (...others: string[]) => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [${["client", ...others].join(", ")}]}]}}]
`;

export const around = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: web, port: 80, targetPort: 8080}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 5, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Secret
metadata: {name: web}
stringData: {password: sesame}
`;

export const greeting = (text: string) => `
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {greeting: ${text}}
`;

const ask =
  "echo boot >> /data/boots; while true; do if page=$(timeout 2 wget -qO- http://web); " +
  "then echo ok $page; else echo lost; fi >> /data/asked; sleep 0.2; done";

/** Asks through the Service for ever, and writes down how it went. */
export const client = (node: string) => `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: client-${node}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Mi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: client-${node}}
spec:
  selector: {matchLabels: {app: client, at: ${node}}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: client, at: ${node}}}
    spec:
      terminationGracePeriodSeconds: 1
      nodeSelector: {kubernetes.io/hostname: ${node}}
      ${tolerations}
      volumes: [{name: data, persistentVolumeClaim: {claimName: client-${node}}}]
      containers:
      - {name: main, image: "busybox:kerb", command: [sh, -c, "${ask}"], volumeMounts: [{name: data, mountPath: /data}]}
---
apiVersion: v1
kind: Pod
metadata: {name: stranger-${node}, labels: {app: stranger}}
spec:
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/hostname: ${node}}
  containers: [{name: main, image: "busybox:kerb", command: [sleep, "100000"]}]
`;
