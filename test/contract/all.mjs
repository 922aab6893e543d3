import allocations from './allocations.mjs'
import deferrals from './deferrals.mjs'
import files from './files.mjs'
import frees from './frees.mjs'
import indexes from './indexes.mjs'
import limits from './limits.mjs'
import maps from './maps.mjs'
import notifications from './notifications.mjs'
import notifySettings from './notify-settings.mjs'
import peers from './peers.mjs'
import processes from './processes.mjs'

export { default as exhaustion } from './exhaustion.mjs'
export { runIn } from './run-in.mjs'
export { default as twoDomains } from './two-domains.mjs'

/** What every grant device has to do, in the order of the driver's life of a page. */
export const contract = [
  indexes,
  allocations,
  limits,
  frees,
  files,
  maps,
  notifySettings,
  notifications,
  peers,
  deferrals,
  processes,
]
