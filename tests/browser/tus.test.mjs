// tus-js-client, in Node.js and in Chromium, and what the protocol demands of a server besides.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { Server, browser, bundle, documented, endings, folder, installed, mediaHash, packages, pdf, png, site, until } from './ground.mjs'

const tus = installed('tus-js-client')
const shared = endings()
const TUS = { 'tus-resumable': '1.0.0' }
const BYTES = { 'content-type': 'application/offset+octet-stream' }
const PHOTO = png(500, 400)
const LARGE = pdf(30_000_000)

describe('tus', { timeout: 300_000 }, () => {
  let server, origin, pages
  after(shared.end)

  before(async () => {
    pages = {}
    origin = await site(shared, pages)
    server = await Server.start(shared, { origins: [origin] })
  })

  const metadata = (pairs) =>
    Object.entries(pairs).map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`).join(',')

  /** Sends a request of the protocol. */
  const send = (method, at, headers = {}, body) =>
    fetch(new URL(at, `${server.url}/v1/tus/`), { method, headers: { ...server.authorization, ...TUS, ...headers }, body })

  /** Creates an upload, and returns its address. */
  const create = async (size, more = {}, headers = {}, body) => {
    const said = metadata({ collection: 'temp', type: 'application/pdf', ...more })
    const response = await send('POST', '/v1/tus', { 'upload-length': `${size}`, 'upload-metadata': said, ...headers }, body)
    assert.equal(response.status, 201, await response.text())
    return response
  }

  /** Runs an upload of tus-js-client, and returns it. */
  const run = (bytes, options, during = () => {}) =>
    new Promise((resolve, reject) => {
      const upload = new tus.Upload(bytes, {
        endpoint: `${server.url}/v1/tus`,
        headers: server.authorization,
        retryDelays: [100, 500, 1_000, 2_000],
        metadata: { collection: 'temp', filetype: 'application/pdf', filename: 'a.pdf' },
        onSuccess: () => resolve(upload),
        onError: reject,
        onProgress: (sent, total) => during(upload, sent, total),
        ...options,
      })
      upload.start()
    })

  const idOf = (upload) => upload.url.split('/').pop()

  /** The bytes of the upload that have arrived. */
  const offset = async (at) => {
    const response = await send('HEAD', at)
    assert.equal(response.status, 200)
    return Number(response.headers.get('upload-offset'))
  }

  const finished = async (upload, bytes) => {
    const ended = await server.ended(upload)
    assert.equal(ended.state, 'ready', JSON.stringify(ended))
    assert.equal((await server.api('GET', `/v1/files/${ended.file}`)).media_hash, mediaHash(bytes))
  }

  test('a server says what it can do', async () => {
    const response = await fetch(`${server.url}/v1/tus`, { method: 'OPTIONS' })
    assert.equal(response.status, 204)
    const said = Object.fromEntries([...response.headers].filter(([name]) => name.startsWith('tus-')))
    assert.deepEqual(said, {
      'tus-resumable': '1.0.0',
      'tus-version': '1.0.0',
      'tus-extension': 'creation,creation-with-upload,expiration,termination,checksum',
      'tus-max-size': '200000000',
      'tus-checksum-algorithm': 'sha1,sha256',
    })
  })

  test('tus-js-client uploads a photo into a list', async () => {
    const upload = await run(PHOTO, {
      metadata: { collection: 'item-photo', filetype: 'image/png', filename: 'photo.png', entity: 'item/7' },
    })
    await finished(idOf(upload), PHOTO)
    const list = await server.api('GET', '/v1/entities/item/7/item-photo')
    assert.equal(list.files[0].filename, 'photo.png')
    assert.equal(await offset(upload.url), PHOTO.length)
  })

  test('with its first bytes, and in chunks', async () => {
    const upload = await run(LARGE, { uploadDataDuringCreation: true, chunkSize: 7_000_001 })
    await finished(idOf(upload), LARGE)
  })

  test('is paused and resumed', async () => {
    let paused
    const upload = await run(LARGE, { chunkSize: 4_000_000 }, (upload, sent) => {
      if (sent < 12_000_000 || paused) return
      paused = upload.abort().then(async () => {
        // What the request had sent is kept once the server has seen its end.
        const kept = await until(async () => offset(upload.url), 'the first bytes')
        const { state, bytes, percent } = await server.api('GET', `/v1/uploads/${idOf(upload)}`)
        assert.deepEqual([state, bytes >= kept, percent > 0 && percent < 100], ['pending', true, true])
        upload.start()
        return kept
      })
    })
    assert.ok((await paused) >= 8_000_000)
    await finished(idOf(upload), LARGE)
  })

  test('is aborted, and gone', async () => {
    const upload = await new Promise((resolve, reject) => {
      const during = (upload, sent) => sent > 8_000_000 && upload.abort(true).then(() => resolve(upload), reject)
      run(LARGE, { chunkSize: 4_000_000 }, during).catch(reject)
    })
    const { state, reason } = await server.api('GET', `/v1/uploads/${idOf(upload)}`)
    assert.deepEqual([state, reason], ['rejected', 'aborted'])
    assert.equal((await send('HEAD', upload.url)).status, 410)
    const patched = await send('PATCH', upload.url, { ...BYTES, 'upload-offset': '0' }, 'x')
    assert.equal(patched.status, 410)
  })

  test('goes on after a cut connection', async (t) => {
    server.line.bytesPerSecond = 30_000_000
    t.after(() => (server.line.bytesPerSecond = Infinity))
    server.line.cutOnceAfter(20_000_000, 50)
    const starts = []
    const upload = await run(LARGE, {
      onBeforeRequest: (request) => request.getMethod() === 'PATCH' && starts.push(Number(request.getHeader('Upload-Offset'))),
    })
    await server.line.wasCut
    assert.ok(starts.length >= 2 && starts.at(-1) >= 8 * 1_024 * 1_024, `${starts}`)
    await finished(idOf(upload), LARGE)
  })

  test('goes on after a sudden end of the server, from where it was told', async (t) => {
    const own = await Server.start(t)
    const path = join(folder(t), 'large.pdf')
    writeFileSync(path, LARGE)
    const storage = new tus.FileUrlStorage(`${path}.urls`)
    const options = {
      endpoint: `${own.url}/v1/tus`,
      headers: own.authorization,
      metadata: { collection: 'temp', filetype: 'application/pdf' },
      urlStorage: storage,
      chunkSize: 5_000_000,
      retryDelays: null,
    }
    let told = 0
    await new Promise((resolve, reject) => {
      const upload = new tus.Upload(createReadStream(path), {
        ...options,
        uploadSize: LARGE.length,
        onChunkComplete: (_, until) => {
          told = until
          if (told >= 15_000_000) own.stop('SIGKILL').then(() => upload.abort()).then(resolve, reject)
        },
        onError: () => {},
        onSuccess: () => reject(new Error('it was not cut off')),
      })
      upload.start()
    })
    assert.ok(told >= 15_000_000)
    await own.start()
    const upload = await new Promise((resolve, reject) => {
      const next = new tus.Upload(createReadStream(path), {
        ...options,
        uploadSize: LARGE.length,
        onError: reject,
        onSuccess: () => resolve(next),
        onBeforeRequest: (request) => {
          const at = request.getMethod() === 'PATCH' && Number(request.getHeader('Upload-Offset'))
          if (at !== false && at < told) reject(new Error(`${at} bytes are left of ${told}`))
        },
      })
      next.findPreviousUploads().then(([previous]) => {
        assert.ok(previous, 'the upload was remembered')
        next.resumeFromPreviousUpload(previous)
        next.start()
      }, reject)
    })
    const ended = await own.ended(idOf(upload))
    assert.equal(ended.state, 'ready')
    assert.equal((await own.api('GET', `/v1/files/${ended.file}`)).media_hash, mediaHash(LARGE))
  })

  test('what a client says is told again, and other metadata is let pass', async () => {
    const created = await create(10, { relativePath: 'a/b', filename: 'a.pdf' })
    assert.match(created.headers.get('upload-expires'), /GMT$/)
    const shown = await send('HEAD', created.headers.get('location'))
    const said = metadata({ collection: 'temp', type: 'application/pdf', relativePath: 'a/b', filename: 'a.pdf' })
    assert.equal(shown.headers.get('upload-metadata'), said)
    assert.equal(shown.headers.get('upload-length'), '10')
    assert.equal(shown.headers.get('cache-control'), 'no-store')
  })

  test('bytes have to follow those that are there, and no more than were announced', async () => {
    const at = (await create(10)).headers.get('location')
    const append = (offset, body, headers = {}) => send('PATCH', at, { ...BYTES, 'upload-offset': `${offset}`, ...headers }, body)
    assert.equal((await append(0, '%PDF-')).status, 204)
    for (const [wrong, status] of [
      [await append(0, 'x'), 409],
      [await append(6, 'x'), 409],
      [await append(5, '123456'), 413],
      [await append('x', 'x'), 400],
      [await append(5, 'x', { 'content-type': 'text/plain' }), 415],
      [await append(5, 'x', { 'tus-resumable': '0.2.2' }), 412],
      [await append(5, 'x', { authorization: 'Bearer other' }), 401],
      [await append(5, 'x', { 'upload-checksum': 'md5 AAAA' }), 400],
      [await send('PATCH', at.replace(/[^/]*$/, 'a'.repeat(32)), { ...BYTES, 'upload-offset': '0' }, 'x'), 404],
      [await send('GET', at), 405],
    ]) {
      assert.equal(wrong.status, status, await wrong.text())
      assert.equal(wrong.headers.get('tus-resumable'), '1.0.0')
      if (status === 412) assert.equal(wrong.headers.get('tus-version'), '1.0.0')
    }
    assert.equal(await offset(at), 5)
    const last = await append(5, '1.7\n\n')
    assert.deepEqual([last.status, last.headers.get('upload-offset')], [204, '10'])
    // A client that can send only POST.
    const other = (await create(4)).headers.get('location')
    const meant = await send('POST', other, { ...BYTES, 'upload-offset': '0', 'x-http-method-override': 'PATCH' }, '%PDF')
    assert.equal(meant.status, 204)
  })

  test('bytes with another checksum do not count', async () => {
    const at = (await create(8)).headers.get('location')
    const sum = (name, text) => ({ 'upload-checksum': `${name} ${createHash(name).update(text).digest('base64')}` })
    const append = (offset, body, headers) => send('PATCH', at, { ...BYTES, 'upload-offset': `${offset}`, ...headers }, body)
    assert.equal((await append(0, '%PDF', sum('sha1', '%PDX'))).status, 460)
    assert.equal(await offset(at), 0)
    assert.equal((await append(0, '%PDF', sum('sha1', '%PDF'))).status, 204)
    assert.equal((await append(4, '-1.7', sum('sha256', '-1.6'))).status, 460)
    assert.equal((await append(4, '-1.7', sum('sha256', '-1.7'))).status, 204)
    await finished(at.split('/').pop(), Buffer.from('%PDF-1.7'))
  })

  test('two requests cannot append to one upload at once', async () => {
    const at = new URL((await create(2_000_000)).headers.get('location'))
    const head = [
      `PATCH ${at.pathname} HTTP/1.1`, `Host: ${at.host}`, `Authorization: ${server.authorization.authorization}`,
      'Tus-Resumable: 1.0.0', 'Upload-Offset: 0', 'Content-Type: application/offset+octet-stream', 'Content-Length: 2000000',
    ]
    // It is answered at once only if the other one has the upload just then.
    const begun = () => {
      const socket = net.connect(Number(at.port), at.hostname)
      socket.write(`${head.join('\r\n')}\r\n\r\n%PDF`)
      socket.once('data', () => {
        socket.destroy()
        first = begun()
      })
      return socket
    }
    let first = begun()
    const second = await until(async () => {
      const response = await send('PATCH', at, { ...BYTES, 'upload-offset': '0' }, '')
      return response.status === 423 && response
    }, 'a locked upload')
    assert.match((await second.json()).type, /upload-locked$/)
    first.removeAllListeners('data')
    first.destroy()
    await until(async () => (await offset(at)) === 4, 'the bytes of the request that broke off')
  })

  test('what an announcement may not have, a creation may not have either', async () => {
    const refused = async (size, more, headers = {}) => {
      const said = metadata({ collection: 'item-photo', type: 'image/png', ...more })
      return (await send('POST', '/v1/tus', { 'upload-length': `${size}`, 'upload-metadata': said, ...headers })).status
    }
    assert.equal(await refused(25_000_001), 413)
    assert.equal(await refused(5, { type: 'text/html' }), 415)
    assert.equal(await refused(5, { collection: 'none' }), 400)
    assert.equal(await refused(0), 400)
    assert.equal(await refused(5, {}, { 'upload-defer-length': '1' }), 400)
    assert.equal(await refused(5, {}, { authorization: '' }), 401)
  })

  test('runs in a browser, with the documented lines', async () => {
    const lines = documented('docs/files.md', 'tus.Upload')
    const ended = 'upload.options.onSuccess = () => (globalThis.ended = upload.url)'
    const stdin = { contents: `${lines}\n${ended}\n`, resolveDir: packages }
    pages['/tus.js'] = bundle({ stdin, platform: 'browser' })
    pages['/'] = `<!doctype html><meta charset="utf-8"><title>tus</title><script>
      globalThis.url = ${JSON.stringify(server.url)}; globalThis.token = ${JSON.stringify(server.token)}
      globalThis.file = new File([new Uint8Array(${JSON.stringify([...PHOTO])})], 'photo.png', { type: 'image/png' })
    </script><script type="module" src="/tus.js"></script>`
    const page = await (await browser(shared)).newPage()
    await page.goto(origin)
    const at = await until(() => page.evaluate(() => globalThis.ended), 'the end of the upload')
    await finished(at.split('/').pop(), PHOTO)
  })
})
