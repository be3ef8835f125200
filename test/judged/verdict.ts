// What a server says of one object, by field.
import type { Client } from "../../src/client/client.ts";
import { builtinKinds } from "../../src/kinds/kinds.ts";
import type { Draft } from "../../src/kinds/object.ts";
import { StatusError } from "../../src/lib/status-error.ts";

const kinds = builtinKinds();

function targetOf({ apiVersion, kind }: Draft) {
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  const { plural, namespaced } = kinds.byKind(group, version, kind)!;
  return { group, version, resource: plural, ...(namespaced && { namespace: "default" }) };
}

/** The fields that are refused and how, or a code; "" when it is taken. Nothing is kept. */
export async function verdictOf(client: Client, draft: Draft): Promise<string> {
  try {
    await client.create(targetOf(draft), draft, { dryRun: true });
    return "";
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    if (error.code !== 422) return String(error.code);
    const causes: any[] = error.details?.["causes"] ?? [];
    const fields = causes.map(
      ({ field, reason }) => `${field} ${reason.replace("FieldValue", "")}`,
    );
    return [...new Set(fields)].sort().join(", ");
  }
}
