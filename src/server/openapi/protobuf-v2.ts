// gnostic's OpenAPI v2 document (openapiv2/OpenAPIv2.proto), as far as this server publishes one.
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
} from "./protobuf-fields.ts";

const texts = list(text);

const schemaFields: Fields = {
  $ref: [1, text],
  format: [2, text],
  title: [3, text],
  description: [4, text],
  default: [5, any],
  multipleOf: [6, double],
  maximum: [7, double],
  exclusiveMaximum: [8, whole],
  minimum: [9, double],
  exclusiveMinimum: [10, whole],
  maxLength: [11, whole],
  minLength: [12, whole],
  pattern: [13, text],
  maxItems: [14, whole],
  minItems: [15, whole],
  uniqueItems: [16, whole],
  maxProperties: [17, whole],
  minProperties: [18, whole],
  required: [19, texts],
  enum: [20, list(any)],
  type: [22, wrapped(text)],
  readOnly: [27, whole],
  example: [30, any],
};

const schema = message(() => schemaFields, 31);
const schemas = wrapped(named(schema));
Object.assign(schemaFields, {
  additionalProperties: [
    21,
    oneOf((value) => (typeof value === "boolean" ? wrapped(whole, 2) : wrapped(schema))),
  ],
  items: [23, wrapped(schema)],
  allOf: [24, list(schema)],
  properties: [25, schemas],
});

const bodyParameter = message(
  () => ({
    description: [1, text],
    name: [2, text],
    in: [3, text],
    required: [4, whole],
    schema: [5, schema],
  }),
  6,
);

/** Of parameters in the path and in headers. */
const plainParameter = message(
  () => ({
    required: [1, whole],
    in: [2, text],
    description: [3, text],
    name: [4, text],
    type: [5, text],
    format: [6, text],
    uniqueItems: [19, whole],
  }),
  22,
);

const queryParameter = message(
  () => ({
    required: [1, whole],
    in: [2, text],
    description: [3, text],
    name: [4, text],
    type: [6, text],
    format: [7, text],
    uniqueItems: [20, whole],
  }),
  23,
);

const nonBody = {
  header: wrapped(plainParameter, 1),
  query: wrapped(queryParameter, 3),
  path: wrapped(plainParameter, 4),
};

const parameter = oneOf((value: { in: "body" | keyof typeof nonBody }) =>
  value.in === "body" ? wrapped(bodyParameter, 1) : wrapped(nonBody[value.in], 2),
);

const parameters = list(
  oneOf((value) =>
    value.$ref
      ? wrapped(
          message(() => ({ $ref: [1, text] })),
          2,
        )
      : wrapped(parameter, 1),
  ),
);

const response = message(() => ({ description: [1, text], schema: [2, wrapped(schema)] }), 5);

const operation = message(
  () => ({
    tags: [1, texts],
    summary: [2, text],
    description: [3, text],
    operationId: [5, text],
    produces: [6, texts],
    consumes: [7, texts],
    parameters: [8, parameters],
    responses: [9, wrapped(named(wrapped(response)))],
    schemes: [10, texts],
    deprecated: [11, whole],
  }),
  13,
);

const pathItem = message(
  () => ({
    $ref: [1, text],
    get: [2, operation],
    put: [3, operation],
    post: [4, operation],
    delete: [5, operation],
    options: [6, operation],
    head: [7, operation],
    patch: [8, operation],
    parameters: [9, parameters],
  }),
  10,
);

/** The fields of a `Document`. */
export const documentV2: Fields = {
  swagger: [1, text],
  info: [2, message(() => ({ title: [1, text], version: [2, text], description: [3, text] }), 7)],
  paths: [8, wrapped(named(pathItem), 2)],
  definitions: [9, schemas],
};
