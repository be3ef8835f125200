// The kubeconfig that lets kubectl in. Plain text: every value is a URL or base64, so nothing needs
// quoting but the name.

export interface KubeconfigOptions {
  server: string;
  /** PEM texts. */
  ca: string;
  cert: string;
  key: string;
  /** Names the cluster and the context; default `kerb`. */
  name?: string;
}

const base64 = (pem: string) => Buffer.from(pem).toString("base64");

export function clusterKubeconfig({ server, ca, cert, key, name = "kerb" }: KubeconfigOptions) {
  const cluster = JSON.stringify(name);
  return `apiVersion: v1
kind: Config
clusters:
- name: ${cluster}
  cluster:
    server: ${JSON.stringify(server)}
    certificate-authority-data: ${base64(ca)}
users:
- name: kubernetes-admin
  user:
    client-certificate-data: ${base64(cert)}
    client-key-data: ${base64(key)}
contexts:
- name: ${cluster}
  context:
    cluster: ${cluster}
    user: kubernetes-admin
current-context: ${cluster}
`;
}
