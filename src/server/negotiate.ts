// What form of answer the caller takes, from its Accept header. Objects may be asked for as they are, as
// rows of a Table, or as metadata only. Protobuf is spoken for built-in kinds, and never for a Table.
import { StatusError } from "../lib/status-error.ts";
import { protobufType } from "./body.ts";

export interface Accept {
  as: "object" | "Table" | "PartialObjectMetadata";
  /** Version of meta.k8s.io for Table and PartialObjectMetadata. */
  version: "v1" | "v1beta1";
  format: "json" | "yaml" | "protobuf";
}

const plain: Accept = { as: "object", version: "v1", format: "json" };

const formats: Record<string, Accept["format"]> = {
  "application/json": "json",
  "application/*": "json",
  "*/*": "json",
  "application/yaml": "yaml",
  [protobufType]: "protobuf",
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

/** What limits the forms of a kind. */
export interface Forms {
  /** Objects of custom kinds have no binary form but for their metadata. */
  custom?: boolean;
  /** Reviews are neither rows of a table nor metadata. */
  virtual?: boolean | undefined;
}

function understand(
  { mediaType, parameters }: Clause,
  { custom, virtual }: Forms,
): Accept | undefined {
  const format = formats[mediaType];
  if (!format) return undefined;
  const { as, g, v } = parameters;
  if (format === "protobuf" && (as === "Table" || (custom && as === undefined))) return undefined;
  if (as === undefined) return { ...plain, format };
  if (virtual) return undefined;
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

const acceptable = ["application/json", "application/yaml"];

/** The first clause we can serve; throws NotAcceptable. */
export function negotiate(header: string | undefined, forms: Forms = {}): Accept {
  if (header === undefined || header === "" || header === "application/json") return plain;
  for (const clause of acceptClauses(header)) {
    const accept = understand(clause, forms);
    if (accept) return accept;
  }
  throw notAcceptable(forms.custom ? acceptable : [...acceptable, protobufType]);
}

/** True when an answer that is no object of a kind, such as a Status, goes out in the binary form. */
export function prefersProtobuf(header: string | undefined): boolean {
  if (!header?.includes(protobufType)) return false;
  for (const { mediaType, parameters } of acceptClauses(header)) {
    const format = formats[mediaType];
    if (format && parameters["as"] === undefined) return format === "protobuf";
  }
  return false;
}
