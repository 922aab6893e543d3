const settled = Promise.resolve()

/**
 * Runs something when the code that is running now has returned, before anything else happens in this thread. As queueMicrotask(), without
 * the asynchronous resource that Node makes for each of those: what is sent thousands of times a second is sent from here.
 *
 * @param run throws nothing
 */
export function atTurnEnd(run: () => void): void {
  void settled.then(run)
}
