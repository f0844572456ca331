// Uppy with the lines of docs/files.md, in Chromium, against a server at another origin.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { Server, browser, bundle, documented, endings, mediaHash, packages, png, site, until } from './ground.mjs'

const LINES = documented('docs/files.md', 'signRequest')
const PHOTO = png(320, 240)
const shared = endings()

describe('Uppy', { timeout: 300_000 }, () => {
  let server, page
  after(shared.end)

  before(async () => {
    // The page has the lines as they are, in a module where `url` and `token` mean something.
    const stdin = { contents: `${LINES}\nglobalThis.uppy = uppy\n`, resolveDir: packages }
    const script = bundle({ stdin })
    const files = { '/uppy.js': script }
    const origin = await site(shared, files)
    server = await Server.start(shared, { origins: [origin] })
    files['/'] = `<!doctype html><meta charset="utf-8"><title>Uppy</title><script>
      globalThis.url = ${JSON.stringify(server.url)}; globalThis.token = ${JSON.stringify(server.token)}
    </script><script type="module" src="/uppy.js"></script>`
    const context = await browser(shared)
    page = await context.newPage()
    page.sent = []
    page.on('request', (request) => page.sent.push(`${request.method()} ${new URL(request.url()).pathname}`))
    await page.goto(origin)
  })

  /** Uploads bytes, and returns what Uppy says. */
  const upload = (name, type, bytes) =>
    page.evaluate(async ({ name, type, bytes }) => {
      uppy.cancelAll()
      const data = new Blob([new Uint8Array(bytes)], { type })
      const seen = []
      const note = (_, { bytesUploaded }) => seen.push(bytesUploaded)
      uppy.on('upload-progress', note)
      uppy.addFile({ name, type, data })
      const { successful, failed } = await uppy.upload()
      uppy.off('upload-progress', note)
      return { keys: successful.map((file) => file.response.body.key), errors: failed.map((file) => file.error), seen }
    }, { name, type, bytes: [...bytes] })

  test('uploads a photo with the documented lines', async () => {
    assert.ok(LINES.trim().split('\n').length <= 30, 'a page of documentation has few lines')
    const { keys, errors, seen } = await upload('photo.png', 'image/png', PHOTO)
    assert.deepEqual(errors, [])
    assert.equal(keys.length, 1, 'the key is the ID of the upload')
    assert.equal(seen.at(-1), PHOTO.length)
    const ended = await server.ended(keys[0])
    assert.equal(ended.state, 'ready')
    const file = await server.api('GET', `/v1/files/${ended.file}`)
    assert.equal(file.media_hash, mediaHash(PHOTO))
    assert.equal(file.filename, 'photo.png')
    assert.deepEqual(file.entity, { type: 'item', id: '4711' })
  })

  test('tells people what is wrong', async () => {
    const { errors } = await upload('page.html', 'text/html', Buffer.from('<p>'))
    assert.equal(errors.length, 1)
    assert.match(errors[0], /item-photo.* accepts /)
  })

  test('a cut connection and another attempt need no second announcement', async () => {
    page.sent.length = 0
    server.line.cutOnceAfter(100_000, 300)
    const { keys, errors } = await upload('again.png', 'image/png', png(400, 400))
    await server.line.wasCut
    // What Uppy gives up, a person repeats.
    const retry = () => page.evaluate(async () => (await uppy.retryAll()).successful.map((file) => file.response.body.key))
    const key = keys[0] ?? (await until(async () => (await retry())[0], `an attempt without an error: ${errors}`))
    assert.equal((await server.ended(key)).state, 'ready')
    const addresses = page.sent.filter((line) => line.startsWith('PUT '))
    assert.ok(addresses.length >= 2)
    assert.deepEqual([...new Set(addresses)], [`PUT /v1/uploads/${key}/bytes`], 'all attempts are for one upload')
  })

  test('an address is signed again, and nothing of a multipart upload is', async () => {
    const body = { method: 'PUT', collection: 'temp', type: 'image/png', size: 10 }
    const first = await server.api('POST', '/v1/uploads/sign', body)
    assert.deepEqual([first.status, first.headers], [200, {}])
    const again = await server.api('POST', '/v1/uploads/sign', { ...body, key: first.key })
    assert.deepEqual([again.status, again.key], [200, first.key])
    const part = await server.api('POST', '/v1/uploads/sign', { ...body, key: first.key, uploadId: 'x', partNumber: 1 })
    assert.equal(part.status, 400)
    assert.match(part.detail, /shouldUseMultipart/)
  })
})
