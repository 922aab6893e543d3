// CommonJS, because piscina loads it by require(): Node 22 aborts the whole process when a thread is terminated while
// require() is loading an ES module (an assertion in ModuleWrap::CreateRequiredModuleFacade). import() is not affected.

/** A thread that has been started has everything it may need: it could not load it later for want of a descriptor. */
async function load() {
  const { performTask } = await import('../src/fill/task.js')
  const { fillerGrant } = await import('../src/grants/filler-grant.js')
  return (task: Parameters<typeof performTask>[0]) => performTask(task, fillerGrant)
}

export = load()
