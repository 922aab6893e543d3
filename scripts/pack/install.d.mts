export function installPackage(folder: string): Promise<string>
