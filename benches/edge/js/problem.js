/** Problem documents (RFC 9457): the one form of error that clients see. */

/** Status and title of each kind, by its slug. */
const KINDS = {
  "invalid-field": [400, "A part of the request is not as it has to be"],
  "private": [403, "This is private"],
  "not-found": [404, "There is nothing here"],
  "no-such-route": [404, "There is no such path"],
  "method-not-allowed": [405, "This path does not take this method"],
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

/** What a client is told when it does not get what it asked for. */
export class Problem extends Error {
  /**
   * @param {string} slug the kind
   * @param {string} detail what is wrong here, and what is allowed
   * @param {{field?: string, members?: object, headers?: object, reason?: string}} more the part of the request that is
   *   wrong; further members; headers of the answer; what the log is told of a failure of ours
   */
  constructor(slug, detail, { field, members, headers, reason } = {}) {
    super(detail);
    this.slug = slug;
    this.field = field;
    this.members = members;
    this.headers = headers;
    this.reason = reason;
  }

  /** A field, parameter, header or part of the path that is not as it has to be. */
  static field(field, detail) {
    return new Problem("invalid-field", `\`${field}\`: ${detail}`, { field });
  }

  /** A provider is out of reach: the client shall come again. */
  static unavailable(reason) {
    const headers = { "retry-after": "2" };
    return new Problem("unavailable", "nothing is lost; try again in 2 s", { headers, reason });
  }

  /** The answer. Problems are never cached. */
  answer(requestId) {
    const [status, title] = KINDS[this.slug];
    // The order of RFC 9457's own examples; a field that is undefined is left out.
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
