import { once } from 'node:events'
import http from 'node:http'

/** A server of small answers, for connections of any kind. */
export function smallAnswers() {
  const body = Buffer.from('{"answer":"small"}')
  const server = http.createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
    response.end(body)
  })
  // None of it is about idle connections.
  server.keepAliveTimeout = 0
  return server
}

async function get(options) {
  const [response] = await once(http.get(options), 'response')
  response.resume()
  await once(response, 'end')
}

/** So many requests over as many connections as the agent has, each of which has one after the other. @returns milliseconds */
export async function load(options, connections, requests) {
  let left = requests
  const began = performance.now()
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (left-- > 0) await get(options)
    }),
  )
  return performance.now() - began
}
