import assert from 'node:assert/strict'

/** What it rejected with. */
export async function rejection(promise) {
  return promise.then(
    () => assert.fail('it should have been refused'),
    (error) => error,
  )
}

/** Checks code and whatever else of the error. */
export async function refused(promise, fields) {
  const error = await rejection(promise)
  const got = Object.fromEntries(Object.keys(fields).map((key) => [key, error[key]]))
  assert.deepEqual(got, fields, error.stack)
  return error
}

/** The next of an iterator, which has one. */
export async function next(iterator) {
  const { done, value } = await iterator.next()
  assert.equal(done ?? false, false, 'the iteration has ended')
  return value
}

/** Passes over changes until the watch has told of `path`. */
export async function changeOf(watch, path) {
  while ((await next(watch)).path !== path);
}

export async function collect(iterable) {
  const items = []
  for await (const item of iterable) items.push(item)
  return items
}
