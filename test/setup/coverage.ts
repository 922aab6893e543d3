import { takeCoverage } from 'node:v8'
import { afterAll } from 'vitest'

// c8 sees worker threads by itself; the fork's main thread has to write its coverage before vitest ends it.
afterAll(() => {
  if (process.env.NODE_V8_COVERAGE) takeCoverage()
})
