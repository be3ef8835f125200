// What form of answer the caller takes, from its Accept header. Objects may be asked for as they are, as
// rows of a Table, or as metadata only. Protobuf is answered with JSON when JSON is accepted too.
import { StatusError } from "../lib/status-error.ts";

export interface Accept {
  as: "object" | "Table" | "PartialObjectMetadata";
  /** Version of meta.k8s.io for Table and PartialObjectMetadata. */
  version: "v1" | "v1beta1";
  format: "json" | "yaml";
}

const plain: Accept = { as: "object", version: "v1", format: "json" };

const formats: Record<string, Accept["format"]> = {
  "application/json": "json",
  "application/*": "json",
  "*/*": "json",
  "application/yaml": "yaml",
};

interface Clause {
  mediaType: string;
  parameters: Record<string, string>;
}

/** The clauses of an Accept header in the order of their weight. */
export function acceptClauses(header: string): Clause[] {
  const clauses = header.split(",").map((text) => {
    const [mediaType, ...rest] = text.split(";").map((part) => part.trim());
    const parameters: Record<string, string> = {};
    for (const part of rest) {
      const equals = part.indexOf("=");
      if (equals > 0) parameters[part.slice(0, equals)] = part.slice(equals + 1);
    }
    return { mediaType: mediaType!.toLowerCase(), parameters };
  });
  const weight = (clause: Clause) => Number(clause.parameters["q"] ?? 1);
  return clauses.filter((clause) => weight(clause) > 0).sort((a, b) => weight(b) - weight(a));
}

function understand({ mediaType, parameters }: Clause): Accept | undefined {
  const format = formats[mediaType];
  if (!format) return undefined;
  const { as, g, v } = parameters;
  if (as === undefined) return { ...plain, format };
  if (g !== "meta.k8s.io" || (v !== "v1" && v !== "v1beta1")) return undefined;
  if (as === "Table") return { as: "Table", version: v, format };
  if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") {
    return { as: "PartialObjectMetadata", version: v, format };
  }
  return undefined;
}

export const notAcceptable = (accepted: string[]) =>
  new StatusError(
    "NotAcceptable",
    `only the following media types are accepted: ${accepted.join(", ")}`,
  );

/** The first clause we can serve; throws NotAcceptable. */
export function negotiate(header: string | undefined): Accept {
  if (header === undefined || header === "" || header === "application/json") return plain;
  for (const clause of acceptClauses(header)) {
    const accept = understand(clause);
    if (accept) return accept;
  }
  throw notAcceptable(["application/json", "application/yaml"]);
}
