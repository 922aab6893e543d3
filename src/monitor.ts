export { Monitor, type Monitored, type MonitorOptions } from './monitor/monitor.js'
export type { MonitorSnapshot, ServerSnapshot, StreamSnapshot } from './monitor/snapshot.js'
