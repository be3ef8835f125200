// What may be done to a site beside giving it works, as a part of UpdateStrategy and SiteOperation: one field for
// each type, and only that of the type that is asked for.
import type { Schema } from "../../kinds/schema.ts";
import { configurableOptions } from "../../lib/configurable-options.ts";
import type { Setting } from "../../lib/configurable-options.ts";

const types = [
  "UpdateKerb",
  "RotateAuthority",
  "PrestageImages",
  "Backup",
  "ChangeConfiguration",
] as const;

export interface Operation {
  type: (typeof types)[number];
  release?: { version: string; url: string; sha256: string };
  authority?: { restSeconds?: number };
  images?: string[];
  backup?: { keep?: number; location?: "Site" | "Hub" };
  /** All values of the options that are to change. */
  configuration?: Setting[];
}

/** Long enough for sites that ask for their hub's authorities every ten minutes. */
export const restSecondsDefault = 1200;
export const keepDefault = 3;

const integer = (minimum: number, maximum: number): Schema => ({
  ...{ type: "integer", format: "int32", minimum, maximum },
});

export const operationSchema: Schema = {
  type: "object",
  required: ["type"],
  properties: {
    type: { type: "string", enum: [...types] },
    release: {
      type: "object",
      required: ["version", "url", "sha256"],
      properties: {
        version: { type: "string", pattern: "^[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?$" },
        url: { type: "string", pattern: "^(https://|/)", maxLength: 2048 },
        sha256: { type: "string", pattern: "^[0-9a-f]{64}$" },
      },
    },
    authority: { type: "object", properties: { restSeconds: integer(0, 86_400) } },
    images: {
      type: "array",
      minItems: 1,
      maxItems: 100,
      items: { type: "string", minLength: 1, maxLength: 1024 },
    },
    backup: {
      type: "object",
      properties: {
        keep: integer(1, 100),
        location: { type: "string", enum: ["Site", "Hub"] },
      },
    },
    configuration: {
      type: "array",
      minItems: 1,
      maxItems: 100,
      items: {
        type: "object",
        required: ["option"],
        properties: {
          option: { type: "string", enum: configurableOptions },
          value: { type: "string", maxLength: 1024 },
        },
      },
    },
  },
  "x-kubernetes-validations": [
    {
      rule: "(self.type == 'UpdateKerb') == has(self.release)",
      message: "release belongs to UpdateKerb",
    },
    {
      rule: "(self.type == 'PrestageImages') == has(self.images)",
      message: "images belong to PrestageImages",
    },
    {
      rule: "(self.type == 'ChangeConfiguration') == has(self.configuration)",
      message: "configuration belongs to ChangeConfiguration",
    },
    {
      rule: "self.type == 'RotateAuthority' || !has(self.authority)",
      message: "authority belongs to RotateAuthority",
    },
    { rule: "self.type == 'Backup' || !has(self.backup)", message: "backup belongs to Backup" },
  ],
} as Schema;
