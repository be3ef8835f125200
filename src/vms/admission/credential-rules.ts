// What `accessCredentials` must be. Pure.
import { invalidValue } from "../../kinds/field-checks.ts";
import type { FieldError } from "../../lib/status-error.ts";

const seeds = { noCloud: "cloudInitNoCloud", configDrive: "cloudInitConfigDrive" } as const;

function ofSource({ source = {}, propagationMethod = {} }: any, path: string): FieldError[] {
  const methods = Object.keys(propagationMethod).filter((name) => propagationMethod[name]);
  return [
    ...(source.secret?.secretName
      ? []
      : [invalidValue(`${path}.source`, "", "must have exactly one source set")]),
    ...(methods.length === 1
      ? []
      : [
          invalidValue(
            `${path}.propagationMethod`,
            methods.join(", "),
            "must have exactly one propagationMethod set",
          ),
        ]),
  ];
}

function ofKey({ propagationMethod = {} }: any, path: string, volumes: any[]): FieldError[] {
  const missing = (["noCloud", "configDrive"] as const).filter(
    (name) => propagationMethod[name] && !volumes.some((volume) => volume[seeds[name]]),
  );
  const { qemuGuestAgent: agent } = propagationMethod;
  const users = `${path}.propagationMethod.qemuGuestAgent.users`;
  return [
    ...missing.map((name) =>
      invalidValue(
        `${path}.propagationMethod`,
        name,
        `requires a ${name} volume to exist when the ${name} propagationMethod is in use.`,
      ),
    ),
    ...(agent && !agent.users?.length
      ? [invalidValue(users, "", "requires at least one user to be present in the users list")]
      : []),
  ];
}

export function ofCredentials({ accessCredentials = [], volumes = [] }: any, path: string) {
  return accessCredentials.flatMap(({ sshPublicKey, userPassword }: any, i: number) => {
    const at = `${path}.accessCredentials[${i}]`;
    if (Boolean(sshPublicKey) === Boolean(userPassword)) {
      return [invalidValue(at, "", "must have exactly one access credential type set")];
    }
    if (userPassword) return ofSource(userPassword, `${at}.userPassword`);
    const field = `${at}.sshPublicKey`;
    return [...ofSource(sshPublicKey, field), ...ofKey(sshPublicKey, field, volumes)];
  }) as FieldError[];
}
