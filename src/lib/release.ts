/** No true clock shows less: this release did not exist. */
export const releaseMs = Date.UTC(2026, 0, 1);
