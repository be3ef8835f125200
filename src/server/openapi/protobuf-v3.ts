// gnostic's OpenAPI v3 document (openapiv3/OpenAPIv3.proto), as far as this server publishes one.
import {
  any,
  double,
  list,
  message,
  named,
  oneOf,
  text,
  whole,
  wrapped,
  type Fields,
  type Write,
} from "./protobuf-fields.ts";

const texts = list(text);

const reference = message(() => ({ $ref: [1, text] }));

/** Something, or a reference to it. */
const orReference = (write: Write): Write =>
  oneOf((value) => (value.$ref ? wrapped(reference, 2) : wrapped(write, 1)));

/** Defaults that are objects or lists have no place in the message. */
const nothing: Write = () => {};
const defaults: Record<string, Write> = {
  number: wrapped(double, 1),
  boolean: wrapped(whole, 2),
  string: wrapped(text, 3),
};

const schemaFields: Fields = {
  nullable: [1, whole],
  readOnly: [3, whole],
  writeOnly: [4, whole],
  example: [7, any],
  deprecated: [8, whole],
  title: [9, text],
  multipleOf: [10, double],
  maximum: [11, double],
  exclusiveMaximum: [12, whole],
  minimum: [13, double],
  exclusiveMinimum: [14, whole],
  maxLength: [15, whole],
  minLength: [16, whole],
  pattern: [17, text],
  maxItems: [18, whole],
  minItems: [19, whole],
  uniqueItems: [20, whole],
  maxProperties: [21, whole],
  minProperties: [22, whole],
  required: [23, texts],
  enum: [24, list(any)],
  type: [25, text],
  default: [33, oneOf((value) => defaults[typeof value] ?? nothing)],
  description: [34, text],
  format: [35, text],
};

const schema = message(() => schemaFields, 36);
const someSchema = orReference(schema);
const schemas = wrapped(named(someSchema));
Object.assign(schemaFields, {
  allOf: [26, list(someSchema)],
  oneOf: [27, list(someSchema)],
  anyOf: [28, list(someSchema)],
  not: [29, schema],
  items: [30, wrapped(someSchema)],
  properties: [31, schemas],
  additionalProperties: [
    32,
    oneOf((value) => (typeof value === "boolean" ? wrapped(whole, 2) : wrapped(someSchema))),
  ],
});

const content = wrapped(named(message(() => ({ schema: [1, someSchema] }), 5)));

const parameters = list(
  orReference(
    message(
      () => ({
        name: [1, text],
        in: [2, text],
        description: [3, text],
        required: [4, whole],
        schema: [10, someSchema],
      }),
      14,
    ),
  ),
);

const body = message(() => ({
  description: [1, text],
  content: [2, content],
  required: [3, whole],
}));
const response = message(() => ({ description: [1, text], content: [3, content] }), 5);

const operation = message(
  () => ({
    tags: [1, texts],
    summary: [2, text],
    description: [3, text],
    operationId: [5, text],
    parameters: [6, parameters],
    requestBody: [7, orReference(body)],
    responses: [8, wrapped(named(orReference(response)), 2)],
    deprecated: [10, whole],
  }),
  13,
);

const pathItem = message(
  () => ({
    $ref: [1, text],
    get: [4, operation],
    put: [5, operation],
    post: [6, operation],
    delete: [7, operation],
    options: [8, operation],
    head: [9, operation],
    patch: [10, operation],
    parameters: [13, parameters],
  }),
  14,
);

/** The fields of a `Document`. */
export const documentV3: Fields = {
  openapi: [1, text],
  info: [2, message(() => ({ title: [1, text], description: [2, text], version: [6, text] }), 7)],
  paths: [4, wrapped(named(pathItem), 1)],
  components: [5, message(() => ({ schemas: [1, schemas] }))],
};
