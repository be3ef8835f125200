/** What whoever runs a node says of registries. */
export interface Registries {
  /** Spoken to without TLS. */
  insecure: ReadonlySet<string>;
  /** By registry, the URL that is asked first. */
  mirrors: ReadonlyMap<string, string>;
}
