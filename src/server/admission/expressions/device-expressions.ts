// The selectors of devices that claims and classes have, each where it stands.
import { invalidValue } from "../../../kinds/field-checks.ts";
import type { KubeObject } from "../../../kinds/object.ts";
import type { FieldError } from "../../../lib/status-error.ts";
import { DeviceSelectors } from "../../cel/device-selector.ts";
import { loadCel } from "../../cel/load.ts";
import { shownError } from "../../cel/shown-error.ts";

/** Longer ones are refused for that alone. */
const expressionCharsMax = 10 * 1024;

interface Found {
  at: string;
  expression: string;
}

const found = (owner: any, at: string): Found[] =>
  (owner?.selectors ?? []).flatMap(({ cel }: any, i: number) =>
    cel ? [{ at: `${at}.selectors[${i}].cel.expression`, expression: cel.expression ?? "" }] : [],
  );

const inClaim = (spec: any, at: string): Found[] =>
  (spec?.devices?.requests ?? []).flatMap(({ exactly, firstAvailable = [] }: any, i: number) => {
    const field = `${at}.devices.requests[${i}]`;
    return [
      ...found(exactly, `${field}.exactly`),
      ...firstAvailable.flatMap((one: any, j: number) =>
        found(one, `${field}.firstAvailable[${j}]`),
      ),
    ];
  });

async function judged(all: Found[]): Promise<FieldError[]> {
  if (all.length === 0) return [];
  const selectors = new DeviceSelectors(await loadCel());
  return all.flatMap(({ at, expression }) => {
    if (expression.length > expressionCharsMax) return [];
    const compiled = selectors.compile(expression);
    if (!("error" in compiled)) return [];
    const isMistyped = compiled.error.startsWith("must evaluate to");
    const why = isMistyped
      ? compiled.error
      : `compilation failed: ${shownError(expression, compiled)}`;
    return [invalidValue(at, expression, why)];
  });
}

export const classErrors = ({ spec }: KubeObject) => judged(found(spec, "spec"));
export const claimErrors = ({ spec }: KubeObject) => judged(inClaim(spec, "spec"));
export const templateErrors = ({ spec }: KubeObject) => judged(inClaim(spec?.spec, "spec.spec"));
