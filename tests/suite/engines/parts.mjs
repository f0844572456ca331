// `ListParts`, to which miniflare's S3 endpoint of R2 answers 501: a list of the parts that have passed, as R2 itself would
// give it. Signatures of the listing are not checked.
const PAGE = 1_000;

/** The parts of the uploads that were begun and neither joined nor aborted. */
export class Parts {
  /** @type {Map<string, Map<number, {tag: string, size: number}>>} */
  #uploads = new Map();

  /**
   * Takes note of an answer of R2.
   *
   * @param {string} method The method of the request.
   * @param {URLSearchParams} query Its query.
   * @param {number} size The length of its body.
   * @param {import("node:http").IncomingMessage} answer The answer.
   * @param {string} text The text of the answer.
   */
  note(method, query, size, { statusCode, headers }, text) {
    const id = query.get("uploadId");
    if (statusCode >= 300) return;
    if (method === "POST" && query.has("uploads")) {
      this.#uploads.set(/<UploadId>([^<]+)</.exec(text)[1], new Map());
    } else if (method === "PUT" && id !== null) {
      this.#uploads.get(id)?.set(Number(query.get("partNumber")), { tag: headers.etag, size });
    } else if (id !== null) {
      this.#uploads.delete(id);
    }
  }

  /**
   * Returns the answer to a listing.
   *
   * @param {URLSearchParams} query The query of the request.
   * @returns {[number, string]} The status and the text.
   */
  list(query) {
    const parts = this.#uploads.get(query.get("uploadId"));
    if (parts === undefined) {
      return [404, "<Error><Code>NoSuchUpload</Code><Message>There is no such upload.</Message></Error>"];
    }
    const after = Number(query.get("part-number-marker") ?? 0);
    const left = [...parts].filter(([number]) => number > after).sort(([a], [b]) => a - b);
    const page = left.slice(0, PAGE);
    const next = left.length > PAGE ? `<NextPartNumberMarker>${page.at(-1)[0]}</NextPartNumberMarker>` : "";
    const listed = page.map(
      ([number, { tag, size }]) =>
        `<Part><PartNumber>${number}</PartNumber><ETag>${tag.replaceAll('"', "&quot;")}</ETag><Size>${size}</Size></Part>`,
    );
    return [
      200,
      `<ListPartsResult><IsTruncated>${left.length > PAGE}</IsTruncated>${next}${listed.join("")}</ListPartsResult>`,
    ];
  }
}
