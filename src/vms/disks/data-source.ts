// What a DataSource leads to: a claim, or another DataSource, and so on. Pure.
import type { KubeObject } from "../../kinds/object.ts";

const stepsMax = 8;

export interface Led {
  source?: any;
  /** Why it leads nowhere. */
  why?: string;
}

/** `find` knows DataSources by namespace and name. */
export function followDataSource(
  reference: { namespace: string; name: string },
  find: (namespace: string, name: string) => KubeObject | undefined,
): Led {
  let { namespace, name } = reference;
  for (let steps = 0; steps < stepsMax; steps++) {
    const found = find(namespace, name);
    if (!found) return { why: `DataSource ${name} does not exist` };
    const { dataSource, pvc } = found.spec.source ?? {};
    if (pvc) return { source: { pvc: { ...pvc, namespace: pvc.namespace ?? namespace } } };
    if (!dataSource) return { why: `DataSource ${name} leads to nothing yet` };
    namespace = dataSource.namespace ?? namespace;
    name = dataSource.name;
  }
  return { why: `DataSource ${reference.name} leads to more than ${stepsMax} others` };
}
