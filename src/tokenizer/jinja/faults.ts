/** How templates fail. */

/** What Python would raise. */
export class Fault extends Error {}

/** What the template itself refuses, in its own words. */
export class Refusal extends Error {}
