/** Problem documents (RFC 9457), the only form of error that clients see. */

/** The status and the title of each kind, by its slug. */
const KINDS = {
  "invalid-field": [400, "A part of the request is invalid"],
  "private": [403, "This is private"],
  "not-found": [404, "There is nothing here"],
  "no-such-route": [404, "There is no such path"],
  "method-not-allowed": [405, "This path does not allow this method"],
  "deleted": [410, "This was deleted"],
  "expired": [410, "This has expired"],
  "precondition-failed": [412, "It has changed since"],
  "range-not-satisfiable": [416, "The range lies beyond the end"],
  "target-too-long": [414, "The path and query are too long"],
  "internal": [500, "Something went wrong here"],
  "damaged": [502, "The stored content is damaged"],
  "unavailable": [503, "The store is out of reach for the moment"],
};

const encoder = new TextEncoder();

/** A failure as the client sees it. */
export class Problem extends Error {
  /**
   * @param {string} slug the kind
   * @param {string} detail what is wrong here, and what is allowed
   * @param {{field?: string, members?: object, headers?: object, reason?: string}} more the invalid part of the request;
   *   further members; headers of the answer; the reason to log for a failure that is our own
   */
  constructor(slug, detail, { field, members, headers, reason } = {}) {
    super(detail);
    this.slug = slug;
    this.field = field;
    this.members = members;
    this.headers = headers;
    this.reason = reason;
  }

  /** Returns the problem of an invalid field, parameter, header or part of the path. */
  static field(field, detail) {
    return new Problem("invalid-field", `\`${field}\`: ${detail}`, { field });
  }

  /** Returns the problem of a provider that is out of reach. The client should retry. */
  static unavailable(reason) {
    const headers = { "retry-after": "2" };
    return new Problem("unavailable", "nothing is lost; try again in 2 s", { headers, reason });
  }

  /** Returns the answer. Problems are never cached. */
  answer(requestId) {
    const [status, title] = KINDS[this.slug];
    // The members are in the order of RFC 9457's own examples; an undefined one is left out.
    const body = encoder.encode(JSON.stringify({
      type: `urn:credlink:problem:${this.slug}`,
      title,
      status,
      detail: this.message,
      field: this.field,
      request_id: requestId,
      ...this.members,
    }));
    const type = "application/problem+json";
    const headers = { ...this.headers, "content-type": type, "cache-control": "no-store" };
    return { status, headers, body, bytes: body.byteLength };
  }
}
