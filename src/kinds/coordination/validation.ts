// What the schema cannot say of Leases.
import { forbiddenValue } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { all, atLeast, fields, none, positive } from "../rules.ts";
import type { Errors } from "../rules.ts";

const lease = fields({
  spec: all(
    fields({ leaseDurationSeconds: positive, leaseTransitions: atLeast(0) }),
    ({ preferredHolder, strategy }, at) =>
      preferredHolder && !strategy
        ? [
            forbiddenValue(
              `${at}.preferredHolder`,
              "may only be specified if `strategy` is defined",
            ),
          ]
        : none,
  ),
});

export const leaseErrors = ({ object }: Change): Errors => lease(object, "");
