export type { VchanConnectOptions, VchanServeOptions } from './vchan/options.js'
export { Vchan } from './vchan/vchan.js'
export type { DomainParts } from './vchan/vigil.js'
