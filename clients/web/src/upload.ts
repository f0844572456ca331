/**
 * Uploads from a browser to CredLink.
 *
 * An upload is announced to the service, which answers with signed addresses; the bytes are sent to these, as a whole or in
 * parts; and the service makes the file once all bytes are there, whether or not this page still is. What has arrived is
 * known to the service alone, and is asked for whenever something was interrupted: nothing is counted twice, and no part
 * that has arrived is sent again.
 */

/** What is uploaded, and how. */
export interface UploadOptions {
  /** The address of the service, such as `https://media.example.com`. */
  url: string;
  /** The credential, or a function that returns a current one before each request to the service. */
  token?: string | (() => string | Promise<string>);
  /** The collection, whose rules hold for the file. */
  collection: string;
  /** The entity into whose list the file is put. */
  entity?: { type: string; id: string };
  /** The place in that list, from 0. */
  position?: number;
  /** The owner, if it is not the subject of the credential. */
  owner?: string;
  /** The readers, if they are not those of the collection. */
  access?: "public" | "authenticated" | "private";
  /** The point of a picture that a crop keeps. */
  focal?: { x: number; y: number };
  /** SHA-256 of the file, as `sha256:` and 64 hexadecimal digits. The service checks the bytes against it. */
  sha256?: string;
  /** The media type, if it is not that of the file. */
  type?: string;
  /** The name, if it is not that of the file. */
  filename?: string;
  /** Called whenever something has changed. */
  onProgress?: (progress: Progress) => void;
  /** Ends the upload as `abort()` does. */
  signal?: AbortSignal;
  /** Keeps the ID of the upload, so that it goes on after a reload of the page: `localStorage` by default, `null` for none. */
  storage?: UploadStorage | null;
  /** The number of parts that are sent at once: 4 by default. */
  parallel?: number;
  /** The number of attempts in a row without success after which the upload fails: 8 by default. */
  retries?: number;
}

/** The part of `Storage` that is used. */
export type UploadStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** The progress of an upload. */
export interface Progress {
  /** What is being done. `processing` begins when all bytes have arrived. */
  phase: "announcing" | "sending" | "paused" | "processing" | "ready";
  /** The number of bytes that have arrived or are on their way. It becomes less when a part has to be sent again. */
  sent: number;
  /** The number of bytes of the file. */
  total: number;
}

/** An upload that is under way. */
export interface Upload {
  /** The IDs of the upload and of its file, once that is ready. Rejected with an `UploadError` or an `AbortError`. */
  readonly done: Promise<{ upload: string; file: string }>;
  /** The ID of the upload, once it was announced. */
  readonly id: string | undefined;
  /** Stops sending. What has arrived stays with the service for a day. */
  pause(): void;
  /** Goes on. */
  resume(): void;
  /** Ends the upload, and removes what has arrived. Resolved when the service knows. */
  abort(): Promise<void>;
}

/** The reason why there is no file. */
export class UploadError extends Error {
  override name = "UploadError";
  /** The kind: that of a problem document (`quota-exceeded`), `rejected`, `expired`, or `network`. */
  readonly kind: string;
  /** The HTTP status, or 0. */
  readonly status: number;
  /** The document of the service: a problem, or the upload with the `reason` of its rejection. */
  readonly document: Answer;
  /** The time in milliseconds after which the service wants to be asked again. */
  readonly after: number | undefined;

  constructor(kind: string, status = 0, document: Answer = {}, after?: number) {
    super(document.detail ?? kind);
    this.kind = kind;
    this.status = status;
    this.document = document;
    this.after = after;
  }
}

/** What the service says. */
interface Answer {
  id?: string;
  type?: string;
  state?: string;
  detail?: string;
  reason?: string;
  file?: string;
  part_size?: number;
  parts?: number | Address[];
  arrived?: number[];
  put?: Address;
}

/** A signed address, which takes the bytes of one part. */
interface Address {
  number?: number;
  url: string;
  headers: Record<string, string>;
}

/** The reason of an interruption that `resume()` ends. */
const PAUSED = "paused";
/** The time without any progress after which a connection counts as dead, in milliseconds. */
const STALLED = 60_000;
/** The statuses that may be others in a moment. 0 stands for a broken connection. */
const PASSING = [0, 408, 425, 429, 500, 502, 503, 504];

/** Uploads a file. */
export function upload(file: Blob & { name?: string; lastModified?: number }, options: UploadOptions): Upload {
  const { size } = file;
  const { collection, entity, owner, position, access, focal, sha256, retries = 8, parallel = 4 } = options;
  const { type = file.type, filename = file.name } = options;
  const base = options.url.replace(/\/+$/, "");
  const storage = options.storage === undefined ? ownStorage() : options.storage;
  // Only a file of a person's disk is recognised again. Other bytes have no name.
  const key =
    file.name && "credlink:" + JSON.stringify([base, collection, entity, owner, file.name, size, file.lastModified]);

  let id = (key && storage?.getItem(key)) || undefined;
  let isRecalled = !!id;
  let isPaused = false;
  let isOver = false;
  let last = 0;
  let wake: (() => void) | undefined;
  // One for each turn, from the start or `resume()` to an interruption.
  let turn = new AbortController();
  const ended = new AbortController();

  const tell = (phase: Progress["phase"], sent = last) =>
    options.onProgress?.({ phase, sent: (last = sent), total: size });

  /** Keeps the ID for the page that comes after this one, or forgets it. */
  const remember = (upload?: string) => {
    try {
      if (key && upload) storage?.setItem(key, upload);
      else if (key) storage?.removeItem(key);
    } catch {
      // Without storage, a reload begins anew.
    }
  };

  /** Waits before the next attempt, or throws what is not worth one. */
  const again = async (signal: AbortSignal, error: unknown, attempt: number) => {
    signal.throwIfAborted();
    if (!(error instanceof UploadError && PASSING.includes(error.status)) || attempt >= retries) throw error;
    // Between half of the time and all of it, so that clients that were cut off together do not come back together.
    const time = Math.min(500 * 2 ** attempt, 30_000) * (1 + Math.random()) / 2;
    await wait(Math.max(error.after ?? 0, time), signal);
  };

  const send = async (signal: AbortSignal | null, method: string, path: string, body?: object): Promise<Answer> => {
    const token = typeof options.token === "function" ? await options.token() : options.token;
    const headers: Record<string, string> = {};
    if (token) headers["authorization"] = "Bearer " + token;
    if (body) headers["content-type"] = "application/json";
    const init = { method, headers, signal, body: body ? JSON.stringify(body) : null };
    const response = await fetch(base + "/v1/uploads" + path, init).catch(() => {
      throw new UploadError("network");
    });
    const text = await response.text().catch(() => "");
    if (!response.ok) throw failed(response.status, text, response.headers.get("retry-after"));
    return parsed(text);
  };

  const ask = async (signal: AbortSignal, method: string, path: string, body?: object): Promise<Answer> => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await send(signal, method, path, body);
      } catch (error) {
        await again(signal, error, attempt);
      }
    }
  };

  /** Returns the upload: the one that was begun before, or a new one. */
  const look = async (signal: AbortSignal): Promise<Answer> => {
    if (id) {
      const found = await ask(signal, "GET", "/" + id).catch((error: unknown) => {
        if (isRecalled && error instanceof UploadError && error.status === 404) return undefined;
        throw error;
      });
      const isOld = isRecalled && (!found || hasFailed(found));
      isRecalled = false;
      if (found && !isOld) return found;
    }
    tell("announcing", 0);
    const announced = { collection, size, type, filename, sha256, entity, position, owner, access, focal };
    const found = await ask(signal, "POST", "", announced);
    remember((id = found.id));
    return found;
  };

  /** Sends the parts that have not arrived. A file that is sent as a whole is its only part. */
  const sendParts = async (signal: AbortSignal, upload: Answer) => {
    const length = upload.part_size ?? size;
    const part = (number: number) => file.slice(length * (number - 1), length * number);
    const waiting: number[] = [];
    const sent: number[] = [];
    for (let number = 1; number <= Math.ceil(size / length); number++) {
      if (upload.arrived?.includes(number)) sent[number] = part(number).size;
      else waiting.push(number);
    }
    const note = (number: number, bytes: number) => {
      sent[number] = bytes;
      tell("sending", Math.min(size, sent.reduce((sum, bytes) => sum + bytes, 0)));
    };
    const addresses: Address[] = [];
    if (upload.put) addresses[1] = upload.put;
    let asking: Promise<void> | undefined;

    const address = async (number: number): Promise<Address> => {
      for (;;) {
        const known = addresses[number];
        if (known) return known;
        // Those of the next parts as well, but not of all: an address is valid for an hour.
        const numbers = [number, ...waiting.slice(0, 4 * parallel)].slice(0, 100);
        asking ??= ask(signal, "POST", `/${id}/parts`, { numbers })
          .then(({ parts }) => (parts as Address[]).forEach((part) => (addresses[part.number!] ??= part)))
          .finally(() => (asking = undefined));
        await asking;
      }
    };

    const work = async () => {
      for (let next: number | undefined; (next = waiting.shift()); ) {
        const number = next;
        for (let attempt = 0; ; attempt++) {
          try {
            const bytes = part(number);
            await put(await address(number), bytes, signal, (loaded) => note(number, loaded));
            note(number, bytes.size);
            break;
          } catch (error) {
            note(number, 0);
            const status = error instanceof UploadError ? error.status : -1;
            // The part has arrived, or is arriving: the service says later whether it has.
            if (status === 409) break;
            // The address has expired. A new one is refused only if something else is wrong.
            if (status === 403 && attempt < 2) {
              signal.throwIfAborted();
              delete addresses[number];
            } else await again(signal, error, attempt);
          }
        }
      }
    };

    note(0, 0);
    await Promise.all(Array.from({ length: Math.min(parallel, waiting.length) }, work));
  };

  /** Goes on from whatever state the upload is in, to its end. */
  const run = async (signal: AbortSignal): Promise<{ upload: string; file: string }> => {
    for (let round = 0; ; round++) {
      let found = await look(signal);
      if (found.state === "pending" || found.state === "uploading") {
        await sendParts(signal, found);
        try {
          found = await ask(signal, "POST", `/${id}/complete`);
        } catch (error) {
          // Parts are missing after all.
          if (!(error instanceof UploadError && error.kind === "upload-incomplete") || round >= retries) throw error;
          await wait(500 * (round + 1), signal);
          continue;
        }
      }
      for (let time = 200; ; time = Math.min(time * 1.5, 3_000)) {
        if (found.state === "ready") {
          remember();
          tell("ready", size);
          return { upload: found.id!, file: found.file! };
        }
        if (hasFailed(found)) {
          remember();
          throw new UploadError(found.state!, 0, found);
        }
        tell("processing", size);
        await wait(time, signal);
        found = await ask(signal, "GET", "/" + id);
      }
    }
  };

  const main = async () => {
    for (;;) {
      try {
        ended.signal.throwIfAborted();
        return await run(turn.signal);
      } catch (error) {
        const { reason } = turn.signal;
        // The other parts that are on their way end as well.
        turn.abort(error);
        ended.signal.throwIfAborted();
        if (reason !== PAUSED) throw error;
        if (isPaused) {
          tell("paused");
          await new Promise<void>((resolve) => (wake = resolve));
        }
        turn = new AbortController();
      }
    }
  };

  const abort = async () => {
    if (isOver) return;
    remember();
    ended.abort();
    turn.abort(ended.signal.reason);
    wake?.();
    // An upload that cannot be ended now ends by itself in a day.
    if (id) await send(null, "DELETE", "/" + id).catch(() => {});
  };

  const { signal } = options;
  if (signal?.aborted) ended.abort();
  signal?.addEventListener("abort", () => void abort(), { once: true });

  return {
    done: main().finally(() => (isOver = true)),
    get id() {
      return id;
    },
    pause() {
      isPaused = true;
      turn.abort(PAUSED);
    },
    resume() {
      isPaused = false;
      wake?.();
    },
    abort,
  };
}

/** Sends the bytes of one part. `fetch` cannot tell how far it is. */
function put(
  { url, headers }: Address,
  bytes: Blob,
  signal: AbortSignal,
  onSent: (bytes: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    let stalled: ReturnType<typeof setTimeout>;
    const alive = () => {
      clearTimeout(stalled);
      stalled = setTimeout(stop, STALLED);
    };
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) {
      // The browser states the length itself.
      if (name !== "content-length") request.setRequestHeader(name, value);
    }
    request.upload.onprogress = ({ loaded }) => {
      alive();
      onSent(loaded);
    };
    request.onload = () => {
      const { status, responseText } = request;
      if (status < 300) resolve();
      else reject(failed(status, responseText, request.getResponseHeader("retry-after")));
    };
    request.onloadend = () => {
      clearTimeout(stalled);
      signal.removeEventListener("abort", stop);
      // Nothing, if the promise is settled.
      reject(new UploadError("network"));
    };
    signal.addEventListener("abort", stop);
    alive();
    request.send(bytes);
  });
}

/** Returns the error that an answer is. */
function failed(status: number, text: string, after: string | null): UploadError {
  const document = parsed(text);
  const kind = document.type?.split(":").pop() ?? "http-" + status;
  return new UploadError(kind, status, document, after ? Number(after) * 1_000 || undefined : undefined);
}

/** Returns `true` if there will be no file. */
function hasFailed({ state }: Answer): boolean {
  return state === "rejected" || state === "expired";
}

function parsed(text: string): Answer {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return {};
  }
}

function wait(time: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, time);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop);
  });
}

/** Returns the storage of the page, or `null` where the browser refuses it. */
function ownStorage(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}
