// The client of `clients/web` in Chromium, against a server at another origin.

import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'

import { Server, browser, bundle, endings, folder, mediaHash, pdf, png, root, site, until } from './ground.mjs'

/** The largest that the client may be, in bytes: minified, and compressed with gzip. */
const MOST_BYTES = 2_500

/** More than one `PUT` sends, so that it goes in parts. */
const LARGE = pdf(104_857_601)
const PARTS = 13
const PHOTO = png(640, 480)

const PAGE = `<!doctype html><meta charset="utf-8"><title>Upload</title><input type="file">
<script type="module">
import { upload } from '/upload.js'
window.begin = (options) => {
  window.progress = []
  window.outcome = undefined
  const file = document.querySelector('input').files[0]
  window.current = upload(file, { ...options, onProgress: (now) => window.progress.push(now) })
  window.current.done.then(
    (ready) => (window.outcome = { ready }),
    ({ name, kind, status, message, document }) =>
      (window.outcome = { error: { name, kind, status, message, reason: document?.reason } }),
  )
}
</script>`

const client = bundle({ entryPoints: [join(root, 'clients/web/src/upload.ts')], minify: true })

const shared = endings()

describe('the client of clients/web', { timeout: 300_000 }, () => {
  let origin, stranger, server, context, files
  after(shared.end)

  before(async () => {
    const pages = { '/': PAGE, '/upload.js': client }
    origin = await site(shared, pages)
    stranger = await site(shared, pages)
    server = await Server.start(shared, { origins: [origin] })
    context = await browser(shared)
    files = folder(shared)
    writeFileSync(join(files, 'archive.pdf'), LARGE)
    writeFileSync(join(files, 'photo.png'), PHOTO)
    writeFileSync(join(files, 'text.png'), 'this is no picture')
  })

  /** Opens a page of `at`, and chooses a file in it. */
  async function opened(t, file, at = origin) {
    const page = await context.newPage()
    t.after(() => page.close())
    page.sent = []
    page.on('request', (request) => page.sent.push(`${request.method()} ${new URL(request.url()).pathname}${partOf(request)}`))
    await choose(page, file, at)
    return page
  }

  async function choose(page, file, at = origin) {
    await page.goto(at)
    await page.setInputFiles('input', join(files, file))
  }

  const partOf = (request) => {
    const part = new URL(request.url()).searchParams.get('part')
    return part ? `?part=${part}` : ''
  }
  const numbers = (page) => page.sent.filter((line) => line.startsWith('PUT ')).map((line) => Number(line.split('=')[1]))
  const begin = (page, more, to = server) =>
    page.evaluate((options) => window.begin(options), { url: to.url, token: to.token, ...more })
  const ended = (page) => until(() => page.evaluate(() => window.outcome), 'the end', 60_000)
  const id = (page) => until(() => page.evaluate(() => window.current.id), 'the announcement')
  const sent = (page) => page.evaluate(() => window.progress.at(-1)?.sent ?? 0)
  const kept = (page) => page.evaluate(() => Object.keys(localStorage).length)

  test('is small', () => {
    const size = gzipSync(client, { level: 9 }).length
    console.log(`clients/web: ${client.length} bytes, ${size} gzipped, of ${MOST_BYTES}`)
    assert.ok(size <= MOST_BYTES, `${size} bytes`)
    // It is built here with the tools that it names itself.
    const named = (path) => JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'))
    const own = named('clients/web')
    assert.equal(own.dependencies, undefined)
    for (const [tool, version] of Object.entries(own.devDependencies)) {
      assert.equal(named('tests/browser').devDependencies[tool], version, tool)
    }
  })

  test('a photo becomes ready', async (t) => {
    const page = await opened(t, 'photo.png')
    await begin(page, { collection: 'item-photo', entity: { type: 'item', id: '1' }, position: 0 })
    const { ready } = await ended(page)
    assert.ok(ready, JSON.stringify(await page.evaluate(() => window.outcome)))
    const file = await server.api('GET', `/v1/files/${ready.file}`)
    assert.equal(file.media_hash, mediaHash(PHOTO))
    assert.equal(file.filename, 'photo.png')
    assert.deepEqual(file.entity, { type: 'item', id: '1' })
    const progress = await page.evaluate(() => window.progress)
    const phases = progress.map(({ phase }) => phase).filter((phase, at, all) => phase !== all[at - 1])
    assert.deepEqual(phases, ['announcing', 'sending', 'processing', 'ready'])
    assert.deepEqual(progress.at(-1), { phase: 'ready', sent: PHOTO.length, total: PHOTO.length })
    assert.equal(await kept(page), 0, 'nothing is left to be resumed')
    // The renditions can be read by the page, too.
    const status = await page.evaluate(async (url) => (await fetch(url)).status, `${server.url}/media/${ready.file}/thumbnail`)
    assert.equal(status, 200)
  })

  test('the page of an origin that is not listed is refused', async (t) => {
    const page = await opened(t, 'photo.png', stranger)
    await begin(page, { collection: 'item-photo', retries: 0 })
    const { error } = await ended(page)
    assert.equal(error.kind, 'network', JSON.stringify(error))
    // But an address is a credential by itself, whoever was given it.
    const announced = await server.api('POST', '/v1/uploads', { collection: 'temp', type: 'image/png', size: PHOTO.length })
    const status = await page.evaluate(async (url) => {
      const body = document.querySelector('input').files[0]
      return (await fetch(url, { method: 'PUT', body })).status
    }, announced.put.url)
    assert.equal(status, 204)
    assert.equal((await server.ended(announced.id)).state, 'ready')
  })

  test('after a cut connection and a reload, only what is missing is sent', async (t) => {
    const page = await opened(t, 'archive.pdf')
    server.line.bytesPerSecond = 15_000_000
    t.after(() => (server.line.bytesPerSecond = Infinity))
    server.line.cutOnceAfter(30_000_000, 700)
    await begin(page, { collection: 'archive' })
    const upload = await id(page)
    await server.line.wasCut
    server.line.bytesPerSecond = 5_000_000
    const before = await until(async () => {
      const { arrived } = await server.api('GET', `/v1/uploads/${upload}`).catch(() => ({}))
      return arrived?.length >= 6 && arrived
    }, 'six parts after the cut')
    assert.ok(new Set(numbers(page)).size < numbers(page).length, 'the parts that were cut off are sent again')

    await choose(page, 'archive.pdf')
    page.sent.length = 0
    server.line.bytesPerSecond = Infinity
    const { arrived, bytes } = await until(async () => {
      // What was on its way when the page went away is settled.
      const first = await server.api('GET', `/v1/uploads/${upload}`)
      await new Promise((resolve) => setTimeout(resolve, 300))
      const second = await server.api('GET', `/v1/uploads/${upload}`)
      return first.bytes === second.bytes && second
    }, 'a quiet server')
    assert.ok(arrived.length >= before.length && arrived.length < PARTS, `${arrived}`)
    await begin(page, { collection: 'archive' })
    const { ready } = await ended(page)
    assert.equal(ready?.upload, upload, 'the same upload went on')
    const all = Array.from({ length: PARTS }, (_, at) => at + 1)
    assert.deepEqual([...numbers(page)].sort((a, b) => a - b), all.filter((number) => !arrived.includes(number)))
    assert.ok(!page.sent.includes('POST /v1/uploads'), 'nothing was announced again')
    const first = await page.evaluate(() => window.progress.find(({ phase }) => phase === 'sending'))
    assert.equal(first.sent, bytes, 'what had arrived counts from the beginning')
    assert.equal((await server.api('GET', `/v1/files/${ready.file}`)).media_hash, mediaHash(LARGE))
    assert.equal(await kept(page), 0)
  })

  test('an upload is paused and resumed', async (t) => {
    const page = await opened(t, 'archive.pdf')
    server.line.bytesPerSecond = 15_000_000
    t.after(() => (server.line.bytesPerSecond = Infinity))
    await begin(page, { collection: 'archive', parallel: 2 })
    await until(async () => (await sent(page)) > 25_000_000, 'a quarter')
    await page.evaluate(() => window.current.pause())
    await until(() => page.evaluate(() => window.progress.at(-1).phase === 'paused'), 'the pause')
    const count = page.sent.length
    await new Promise((resolve) => setTimeout(resolve, 600))
    assert.equal(page.sent.length, count, 'nothing is sent during a pause')
    const upload = await id(page)
    const { arrived, state } = await server.api('GET', `/v1/uploads/${upload}`)
    assert.equal(state, 'uploading')
    assert.ok(arrived.length > 0 && arrived.length < PARTS, `${arrived}`)
    server.line.bytesPerSecond = Infinity
    page.sent.length = 0
    await page.evaluate(() => window.current.resume())
    const { ready } = await ended(page)
    assert.equal(ready?.upload, upload)
    assert.ok(numbers(page).every((number) => !arrived.includes(number)), `${numbers(page)} of ${arrived}`)
    // A pause and a resumption at once leave one turn, which sends each part once.
    await choose(page, 'archive.pdf')
    page.sent.length = 0
    await begin(page, { collection: 'archive' })
    await until(async () => (await sent(page)) > 0, 'the first bytes')
    await page.evaluate(() => {
      for (let times = 0; times < 3; times++) {
        window.current.pause()
        window.current.resume()
      }
    })
    const again = await ended(page)
    assert.ok(again.ready, JSON.stringify(again))
  })

  test('an aborted upload leaves nothing', async (t) => {
    const page = await opened(t, 'archive.pdf')
    server.line.bytesPerSecond = 15_000_000
    t.after(() => (server.line.bytesPerSecond = Infinity))
    await begin(page, { collection: 'archive' })
    await until(async () => (await sent(page)) > 10_000_000, 'some bytes')
    const upload = await id(page)
    assert.equal(await kept(page), 1)
    await page.evaluate(() => window.current.abort())
    const { error } = await ended(page)
    assert.equal(error.name, 'AbortError')
    assert.equal(await kept(page), 0)
    const document = await server.api('GET', `/v1/uploads/${upload}`)
    assert.deepEqual([document.state, document.reason], ['rejected', 'aborted'])
  })

  test('a signal aborts as well', async (t) => {
    const page = await opened(t, 'photo.png')
    await page.evaluate(() => {
      const { begin } = window
      const stop = new AbortController()
      stop.abort()
      window.begin = (options) => begin({ ...options, signal: stop.signal })
    })
    await begin(page, { collection: 'item-photo' })
    assert.equal((await ended(page)).error.name, 'AbortError')
    assert.ok(!page.sent.some((line) => line.includes('/v1/')), 'nothing was sent')
  })

  test('a rejected file has a reason', async (t) => {
    const page = await opened(t, 'text.png')
    await begin(page, { collection: 'item-photo' })
    const { error } = await ended(page)
    assert.deepEqual([error.name, error.kind], ['UploadError', 'rejected'])
    assert.equal(error.reason, (await server.ended(await id(page))).reason)
    assert.ok(error.reason && error.message.length > 10, JSON.stringify(error))
    assert.equal(await kept(page), 0)
    // What is wrong with an announcement is known before anything is sent.
    await begin(page, { collection: 'verification-document', type: 'text/html' })
    assert.deepEqual([(await ended(page)).error.kind], ['unsupported-media-type'])
  })

  test('an expired address is asked for again', async (t) => {
    const page = await opened(t, 'photo.png')
    await page.route(`${server.url}/v1/uploads`, async (route) => {
      const response = await route.fetch()
      const document = await response.json()
      document.put.url = document.put.url.replace(/expires=\d+/, 'expires=1')
      const headers = { ...response.headers(), 'access-control-allow-origin': origin }
      await route.fulfill({ response, headers, json: document })
    })
    await begin(page, { collection: 'item-photo' })
    assert.ok((await ended(page)).ready)
    const upload = await id(page)
    const steps = page.sent.filter((line) => line.includes(upload) && !line.startsWith('GET'))
    assert.deepEqual(steps, [
      `PUT /v1/uploads/${upload}/bytes`,
      `POST /v1/uploads/${upload}/parts`,
      `PUT /v1/uploads/${upload}/bytes`,
      `POST /v1/uploads/${upload}/complete`,
    ])
  })

  test('who announces too often waits as long as the server says', async (t) => {
    const busy = await Server.start(t, { origins: [origin], env: { CREDLINK_UPLOADS_PER_MINUTE: '30' } })
    const page = await opened(t, 'photo.png')
    const announced = { collection: 'temp', type: 'image/png', size: 10 }
    let answer
    do answer = await busy.api('POST', '/v1/uploads', announced)
    while (answer.status === 201)
    assert.equal(answer.status, 429)
    const began = Date.now()
    await begin(page, { collection: 'item-photo' }, busy)
    assert.ok((await ended(page)).ready)
    const announcements = page.sent.filter((line) => line === 'POST /v1/uploads').length
    assert.equal(announcements, 2)
    assert.ok(Date.now() - began >= 1_000, 'the share grows back at one in two seconds')
  })

  test('a full quota is told at once', async (t) => {
    const full = await Server.start(t, { origins: [origin], env: { CREDLINK_TENANT_BYTES: '1000' } })
    const page = await opened(t, 'photo.png')
    assert.ok(statSync(join(files, 'photo.png')).size > 1_000)
    await begin(page, { collection: 'item-photo' }, full)
    const { error } = await ended(page)
    assert.deepEqual([error.kind, error.status], ['quota-exceeded', 507])
    assert.equal(page.sent.filter((line) => line === 'POST /v1/uploads').length, 1, 'it is not tried again')
  })
})
