// The published numbers and types of fields (`tools/generate-protobuf.ts`).
import data from "./messages.json" with { type: "json" };

/**
 * Name, type (a scalar's letter or a message's name) and shape of a field. "plain" fields are no pointers in
 * Go, which writes them even when they are zero: their zero means "not set".
 */
export type FieldType = [name: string, type: string, shape?: "list" | "map" | "inline" | "plain"];

interface Messages {
  /** By `apiVersion/Kind`. */
  kinds: Record<string, string>;
  /** By message, then by field number. */
  messages: Record<string, Record<string, FieldType>>;
}

export const { kinds, messages } = data as unknown as Messages;

/** What the bytes of an object begin with. */
export const magic = Buffer.from("k8s\0");

export const messageOf = (apiVersion: string, kind: string): string | undefined =>
  kinds[`${apiVersion}/${kind}`];
