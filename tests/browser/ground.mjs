// A real server, a real browser, and a line between them that can be slow or cut.
//
// The page has another origin than the server, so that everything that a page of another site needs is tested as well. Clients
// reach the server through the line, because the server is told that this is its public address.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { crc32, deflateSync } from 'node:zlib'

/** The packages that `tests/run` installed: this folder has none. */
export const installed = createRequire(`${process.env.CREDLINK_BROWSER_TOOLS}/package.json`)
/** The folder of the installed packages. */
export const packages = `${process.env.CREDLINK_BROWSER_TOOLS}/node_modules`
/** The root of the repository. */
export const root = new URL('../..', import.meta.url).pathname

const TOKEN = 'a-token-of-this-run'

/** A collection of files that are longer than one `PUT` sends. */
const COLLECTIONS = {
  version: 1,
  collections: {
    archive: { version: 1, types: ['application/pdf'], max_bytes: 200_000_000, access: 'public', metadata: { published: 'keep' } },
  },
}

/** Listens at a free port of loopback, and returns it. */
export const listening = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))

/** Collects what ends what a file of tests shares, for `after`. The last to begin is the first to end. */
export function endings() {
  const all = []
  const end = async () => {
    for (const one of all.reverse()) await one()
  }
  return { after: (one) => all.push(one), end }
}

/** A folder that is removed when the test ends. */
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'credlink-browser-'))
  t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  return path
}

/** A line of TCP to a port, which can be slow (`bytesPerSecond`), cut once (`cutAfter` bytes), or closed. */
export class Line {
  #sockets = new Set()
  #server = net.createServer((client) => this.#connected(client))
  #sent = 0
  target = 0
  bytesPerSecond = Infinity
  cutAfter = Infinity
  isClosed = false

  static async open(t) {
    const line = new Line()
    line.port = await listening(line.#server)
    t.after(() => {
      line.cut()
      line.#server.close()
    })
    return line
  }

  get url() {
    return `http://127.0.0.1:${this.port}`
  }

  /** Breaks all connections. */
  cut() {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Breaks all connections once so many more bytes have been sent, and refuses new ones for a time. */
  cutOnceAfter(bytes, milliseconds) {
    this.wasCut = new Promise((resolve) => {
      this.cutAfter = this.#sent + bytes
      this.onCut = () => {
        this.isClosed = true
        this.cut()
        setTimeout(() => (this.isClosed = false), milliseconds)
        resolve()
      }
    })
  }

  #connected(client) {
    if (this.isClosed) return client.destroy()
    const server = net.connect(this.target, '127.0.0.1')
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        client.destroy()
        server.destroy()
      })
    }
    server.on('data', (bytes) => client.write(bytes))
    client.on('data', (bytes) => {
      this.#sent += bytes.length
      if (this.#sent >= this.cutAfter) {
        this.cutAfter = Infinity
        return this.onCut()
      }
      const isFree = server.write(bytes)
      const time = (bytes.length / this.bytesPerSecond) * 1_000
      if (isFree && time < 1) return
      client.pause()
      const go = () => setTimeout(() => client.resume(), time)
      if (isFree) go()
      else server.once('drain', go)
    })
  }
}

/** A `credlink serve` over a folder, behind a line. */
export class Server {
  #process
  #args
  #env
  log = []

  /** Starts a server. Pages of `origins` may use it. */
  static async start(t, { origins = [], env = {} } = {}) {
    const server = new Server()
    server.line = await Line.open(t)
    const path = folder(t)
    const digest = createHash('sha256').update(TOKEN).digest('hex')
    const tokens = [{ name: 'browser', sha256: digest, tenant: 'default', scopes: ['admin'] }]
    writeFileSync(join(path, 'tokens'), JSON.stringify(tokens))
    server.#args = [
      'serve', '--json', '--listen', '127.0.0.1:0', '--data-dir', join(path, 'data'), '--tokens', join(path, 'tokens'),
      '--public-url', server.line.url, ...origins.flatMap((origin) => ['--allow-origin', origin]),
    ]
    server.#env = { ...process.env, CREDLINK_COLLECTIONS: JSON.stringify(COLLECTIONS), ...env }
    await server.start()
    t.after(() => server.stop('SIGKILL'))
    return server
  }

  /** Starts the process, again over the same folder if there was one before. */
  async start() {
    this.#process = spawn(process.env.CREDLINK_PROGRAM, this.#args, { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] })
    createInterface({ input: this.#process.stderr }).on('line', (line) => this.log.push(line))
    for await (const line of createInterface({ input: this.#process.stdout })) {
      this.line.target = Number(new URL(JSON.parse(line).url).port)
      return
    }
    assert.fail(`the server did not start: ${this.log.join('\n')}`)
  }

  /** Ends the process. */
  async stop(signal = 'SIGTERM') {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.kill(signal)
    await ended
  }

  get url() {
    return this.line.url
  }

  get token() {
    return TOKEN
  }

  get authorization() {
    return { authorization: `Bearer ${TOKEN}` }
  }

  /** Sends a request to the API, and returns its document. */
  async api(method, path, body) {
    const headers = { ...this.authorization, ...(body && { 'content-type': 'application/json' }) }
    const response = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) })
    const text = await response.text()
    return { status: response.status, ...(text && JSON.parse(text)) }
  }

  /** Waits until an upload has ended, and returns its document. */
  ended(upload) {
    return until(async () => {
      const document = await this.api('GET', `/v1/uploads/${upload}`)
      return ['ready', 'rejected', 'expired'].includes(document.state) && document
    }, `the end of ${upload}`)
  }
}

/** Waits for something to be true. */
export async function until(holds, what, milliseconds = 60_000) {
  for (const end = Date.now() + milliseconds; Date.now() < end; ) {
    const found = await holds()
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.fail(`this did not come: ${what}`)
}

/** A site that serves these files, by their paths. */
export async function site(t, files) {
  const server = http.createServer((request, response) => {
    const found = files[request.url]
    if (found === undefined) return response.writeHead(404).end()
    response.setHeader('content-type', request.url.endsWith('.js') ? 'text/javascript' : 'text/html')
    response.end(found)
  })
  const port = await listening(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${port}`
}

/** A browser with a new profile, for all tests of a file. */
export async function browser(t) {
  const { chromium } = installed('playwright-core')
  const args = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ]
  const started = await chromium.launchPersistentContext(folder(t), { executablePath: '/usr/bin/chromium', headless: true, args })
  t.after(() => started.close())
  return started
}

/** Bundles a module of a page as an application would. */
export function bundle(options) {
  const { buildSync } = installed('esbuild')
  const built = buildSync({ bundle: true, format: 'esm', target: 'es2022', nodePaths: [packages], write: false, logLevel: 'error', ...options })
  return Buffer.from(built.outputFiles[0].contents)
}

/** Returns the first code in a document that has a text in it. */
export function documented(file, text) {
  const blocks = readFileSync(join(root, file), 'utf8').matchAll(/^```(?:js|html)\n(.*?)^```$/gms)
  const found = [...blocks].map(([, code]) => code).find((code) => code.includes(text))
  assert.ok(found, `${file} has no code with ${text}`)
  return found
}

/** A picture of noise, as PNG. */
export function png(width, height) {
  const chunk = (type, data) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(data.length)
    const body = Buffer.concat([Buffer.from(type), data])
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, sum])
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 2, 0, 0, 0], 8)
  const rows = Buffer.alloc(height * (1 + 3 * width))
  let seed = createHash('sha256').update(randomUUID()).digest()
  for (let at = 0; at < rows.length; at++) {
    if (at % 32 === 0) seed = createHash('sha256').update(seed).digest()
    rows[at] = at % (1 + 3 * width) === 0 ? 0 : seed[at % 32]
  }
  const start = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([start, chunk('IHDR', head), chunk('IDAT', deflateSync(rows, { level: 1 })), chunk('IEND', Buffer.alloc(0))])
}

/** A document of so many bytes, of which no two parts are alike. */
export function pdf(size) {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at + 4 <= size; at += 4_096) bytes.writeUInt32LE(at, at)
  bytes.write('%PDF-1.7\n')
  return bytes
}

/** The SHA-256 of bytes, as the service writes it. */
export const mediaHash = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
