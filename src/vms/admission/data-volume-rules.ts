// What a DataVolume must be, beyond its schema. Pure.
import { forbiddenValue, invalidValue, required, supported } from "../../kinds/field-checks.ts";
import type { FieldError } from "../../lib/status-error.ts";

/** Each source that is there, with the fields of it that are acted on. */
const sources: Record<string, string[]> = {
  http: ["url", "checksum", "extraHeaders", "secretExtraHeaders", "secretRef", "certConfigMap"],
  // Whoever pulls, it is the node.
  registry: ["url", "imageStream", "pullMethod"],
  s3: ["url", "secretRef", "certConfigMap"],
  blank: [],
  upload: [],
  pvc: ["name", "namespace"],
};
const no = "this is not supported by DataVolumes of Kerb";

function urlErrors(url: unknown, field: string, schemes: string[]): FieldError[] {
  if (!url) return [required(field, "source URL is empty")];
  let parsed: URL;
  try {
    parsed = new URL(String(url));
  } catch {
    return [invalidValue(field, url, "Invalid source URL")];
  }
  if (schemes.includes(parsed.protocol.slice(0, -1))) return [];
  return [
    invalidValue(field, url, `Invalid source URL scheme, must be one of ${schemes.join(", ")}`),
  ];
}

const rules: Record<string, (source: any, field: string) => FieldError[]> = {
  http: ({ url, checksum }, field) => [
    ...urlErrors(url, `${field}.url`, ["http", "https"]),
    ...(checksum &&
    !/^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|md5:[0-9a-f]{32}|sha1:[0-9a-f]{40})$/i.test(
      checksum,
    )
      ? [
          invalidValue(
            `${field}.checksum`,
            checksum,
            "must be ALGORITHM:HEX of md5, sha1, sha256 or sha512",
          ),
        ]
      : []),
  ],
  s3: ({ url }, field) => urlErrors(url, `${field}.url`, ["http", "https"]),
  registry: ({ url, imageStream }, field) =>
    imageStream
      ? [forbiddenValue(`${field}.imageStream`, no)]
      : urlErrors(url, `${field}.url`, ["docker", "oci-archive"]).concat(
          String(url).startsWith("oci-archive:") ? [forbiddenValue(`${field}.url`, no)] : [],
        ),
  pvc: ({ name, namespace }, field) => [
    ...(name ? [] : [required(`${field}.name`)]),
    ...(namespace ? [] : [required(`${field}.namespace`)]),
  ],
};

function sourceErrors({ source, sourceRef }: any, path: string): FieldError[] {
  if (sourceRef) {
    if (source)
      return [
        invalidValue(
          `${path}.sourceRef`,
          sourceRef.name,
          "Either set source or sourceRef, not both",
        ),
      ];
    return supported(`${path}.sourceRef.kind`, sourceRef.kind, ["DataSource"]);
  }
  const given = Object.keys(source ?? {}).filter((key) => source[key]);
  if (given.length !== 1) {
    return [invalidValue(`${path}.source`, given.length, "exactly one source must be set")];
  }
  const [kind] = given as [string];
  const field = `${path}.source.${kind}`;
  const known = sources[kind];
  if (!known) return [forbiddenValue(field, no)];
  const strange = Object.keys(source[kind]).filter((name) => !known.includes(name));
  return [
    ...strange.map((name) => forbiddenValue(`${field}.${name}`, no)),
    ...(rules[kind]?.(source[kind], field) ?? []),
  ];
}

/** `path` is where the spec lies in the object. */
export function dataVolumeErrors(spec: any, path: string): FieldError[] {
  const { pvc, storage, contentType, checkpoints, source } = spec ?? {};
  const errors = sourceErrors(spec ?? {}, path);
  if (pvc && storage)
    errors.push(
      invalidValue(
        `${path}.pvc`,
        "",
        "Duplicate storage definition, both target storage and target pvc defined",
      ),
    );
  if (!pvc && !storage)
    errors.push(required(path, "Data volume should have either PVC or Storage"));
  const size = (pvc ?? storage)?.resources?.requests?.storage;
  const sized = source?.pvc || spec?.sourceRef;
  if ((pvc || storage) && size === undefined && !(storage && sized)) {
    errors.push(
      required(
        `${path}.${pvc ? "pvc" : "storage"}.resources.requests.storage`,
        "PVC size is missing",
      ),
    );
  }
  if (contentType === "archive")
    errors.push(forbiddenValue(`${path}.contentType`, `archive: ${no}`));
  else errors.push(...supported(`${path}.contentType`, contentType, ["kubevirt"]));
  if (checkpoints?.length) errors.push(forbiddenValue(`${path}.checkpoints`, no));
  return errors;
}
