// The Worker of docs/files.md that tells CredLink of uploads in R2: on workerd, with its queue, against a server.

import assert from 'node:assert/strict'
import http from 'node:http'
import { createRequire } from 'node:module'
import { after, before, describe, test } from 'node:test'

import { Server, documented, endings, listening, until } from './ground.mjs'

const { Miniflare, convertV4MiniflareOptions, Log, LogLevel } = createRequire(`${process.env.CREDLINK_NODE_TOOLS}/package.json`)('miniflare')
const WORKER = documented('docs/files.md', 'async queue(batch')
// Puts what it is sent into the queue, as R2 does.
const EVENTS = `export default {
  async fetch(request, env) {
    await env.QUEUE.send(await request.json())
    return new Response()
  },
}`
const shared = endings()

describe('The Worker for events of R2', { timeout: 120_000 }, () => {
  let server, miniflare, api
  const asked = []
  after(shared.end)

  before(async () => {
    server = await Server.start(shared)
    // Between the Worker and the server: it notes what is asked, and can be out of order.
    api = { status: null }
    const between = http.createServer(async (incoming, outgoing) => {
      const { method, url, headers } = incoming
      asked.push({ path: `${method} ${url}` })
      if (api.status === 'gone') return outgoing.destroy()
      const answer = api.status ? { status: api.status } : await fetch(server.url + url, { method, headers: { authorization: headers.authorization } })
      asked.at(-1).status = answer.status
      outgoing.writeHead(answer.status).end()
    })
    const port = await listening(between)
    shared.after(() => between.close())
    const bindings = { CREDLINK_URL: `http://127.0.0.1:${port}`, TOKENS: JSON.stringify({ default: server.token }) }
    // A message that is retried comes after a moment instead of a minute, and is given up after two attempts more.
    const consumer = { maxBatchTimeout: 0, maxRetries: 2, deadLetterQueue: 'dead' }
    miniflare = new Miniflare(convertV4MiniflareOptions({
      host: '127.0.0.1', port: 0, log: new Log(LogLevel.ERROR),
      workers: [
        { name: 'events', modules: true, script: EVENTS, queueProducers: { QUEUE: 'uploads' } },
        {
          name: 'tells', modules: true, script: WORKER.replace('delaySeconds: 60', 'delaySeconds: 1'), bindings,
          queueConsumers: { uploads: consumer },
        },
      ],
    }))
    await miniflare.ready
    shared.after(() => miniflare.dispose())
  })

  /** Sends the event about an upload, and returns the requests that follow from it, once there are so many. */
  const told = async (upload, count) => {
    asked.length = 0
    const event = {
      account: '0123456789abcdef', action: 'CompleteMultipartUpload', bucket: 'credlink', eventTime: '2026-11-30T03:00:00.000Z',
      object: { key: `uploads/default/${upload}`, size: 10, eTag: 'd41d8cd98f00b204e9800998ecf8427e' },
    }
    await miniflare.dispatchFetch('http://events/', { method: 'POST', body: JSON.stringify(event) })
    await until(() => asked.length >= count && asked.every((one) => one.status || api.status === 'gone'), 'the requests of the Worker')
    // If more were to follow, they would come within this time.
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    return asked.map(({ path, status }) => [path, status])
  }

  const announce = async () => {
    const body = { collection: 'temp', type: 'application/pdf', size: 10 }
    const { id } = await server.api('POST', '/v1/uploads', body)
    return id
  }

  test('asks CredLink to look, once', async () => {
    const upload = await announce()
    // The bytes are not at this server, which says so.
    assert.deepEqual(await told(upload, 1), [[`POST /v1/uploads/${upload}/complete`, 409]])
    const absent = 'a'.repeat(32)
    assert.deepEqual(await told(absent, 1), [[`POST /v1/uploads/${absent}/complete`, 404]])
  })

  test('asks again while CredLink does not answer', async () => {
    const upload = await announce()
    const path = `POST /v1/uploads/${upload}/complete`
    for (const status of [503, 429, 401, 'gone']) {
      api.status = status
      const seen = await told(upload, 3)
      assert.deepEqual(seen, Array(3).fill([path, status === 'gone' ? undefined : status]), String(status))
    }
    api.status = 202
    assert.deepEqual(await told(upload, 1), [[path, 202]])
  })
})
