export function seedOf(environment: NodeJS.ProcessEnv): number
export function newSeed(): number
