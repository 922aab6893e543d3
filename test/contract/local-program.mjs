import assert from 'node:assert/strict'

/** children/domain.mjs as a process of this domain. */
export class LocalProgram {
  alive = true
  #child

  /** @param child has said that it is ready; see test/xen/guest/program.mjs */
  constructor(domid, child) {
    this.domid = domid
    this.#child = child
  }

  async ask(command, request) {
    this.#child.send(`${command} ${JSON.stringify(request)}`)
    return JSON.parse((await this.#child.line()).slice(command.length))
  }

  async kill() {
    this.alive = false
    await this.#child.kill()
  }

  async end() {
    this.alive = false
    const { code, stderr } = await this.#child.end()
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  }
}

/** The test has ended everything that it had begun in this program. */
export async function keepsNothing(program) {
  assert.deepEqual(await program.ask('stats', {}), { kept: 0, grants: 0, pages: 0, deferred: 0 })
}
