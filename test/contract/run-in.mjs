/** Runs one test in a world of its own and ends that world. Why the test failed counts for more than what it left. */
export async function runIn(world, { run }) {
  try {
    await run(world)
  } catch (error) {
    await world.end().catch((atEnd) => {
      error.message += `\n(and then the end of the world: ${atEnd.message})`
    })
    throw error
  }
  await world.end()
}
