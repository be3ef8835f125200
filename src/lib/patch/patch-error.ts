// How Kubernetes refuses patches: those it cannot read are bad requests, those that do not fit the document
// are unprocessable. Upstream keeps the reason of the second kind to its log; here it follows the sentence.
import { StatusError } from "../status-error.ts";

export const unprocessable = (why: string) =>
  new StatusError(
    "Invalid",
    `the server rejected our request due to an error in our request: ${why}`,
    { details: {} },
  );
