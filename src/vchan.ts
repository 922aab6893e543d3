export type { ConnectOptions, ServeOptions } from './vchan/options.js'
export { Vchan } from './vchan/vchan.js'
export type { DomainParts } from './vchan/vigil.js'
