// The parameters that a binding gives its policy: one object by name, or all that a selector finds.
import type { Kind } from "../../../kinds/kind.ts";
import type { Kinds } from "../../../kinds/kinds.ts";
import type { KubeObject } from "../../../kinds/object.ts";
import { compileSelector, type LabelSelector } from "../../../lib/label-selector.ts";
import { apiVersionOf } from "../../../kinds/kind.ts";
import { keyOf, prefixOf } from "../../stored.ts";
import type { ObjectReader } from "../object-reader.ts";

export interface ParamKind {
  apiVersion: string;
  kind: string;
}

export interface ParamRef {
  name?: string;
  namespace?: string;
  selector?: LabelSelector;
  parameterNotFoundAction?: "Allow" | "Deny";
}

function kindOf(kinds: Kinds, { apiVersion, kind }: ParamKind): Kind {
  const found = kinds.all().find((one) => one.kind === kind && apiVersionOf(one) === apiVersion);
  if (!found)
    throw new Error(
      `failed to find resource referenced by paramKind: '${apiVersion}, Kind=${kind}'`,
    );
  return found;
}

/** `[undefined]` for a policy without parameters, `[]` when none is found and that is allowed. Throws Errors. */
export async function paramsOf(
  { reader, kinds }: { reader: ObjectReader; kinds: Kinds },
  paramKind: ParamKind | undefined,
  paramRef: ParamRef | undefined,
  namespace: string,
): Promise<(KubeObject | undefined)[]> {
  if (!paramKind || !paramRef) return [undefined];
  const kind = kindOf(kinds, paramKind);
  const within = kind.namespaced ? paramRef.namespace || namespace : undefined;
  if (kind.namespaced && !within)
    throw new Error(
      "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
    );
  let found: KubeObject[];
  if (paramRef.name) {
    const one = await reader.get(keyOf(kind, within, paramRef.name));
    found = one ? [one] : [];
  } else {
    const matches = compileSelector(paramRef.selector ?? {});
    const all = await reader.list(prefixOf(kind, within));
    found = all.filter(({ metadata }) => matches(metadata.labels));
  }
  if (found.length > 0 || paramRef.parameterNotFoundAction === "Allow") return found;
  throw new Error("no params found for policy binding with `Deny` parameterNotFoundAction");
}
