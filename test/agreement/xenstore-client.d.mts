export interface RawReply {
  type: number
  requestId: number
  transactionId: number
  /** One character for each byte. */
  payload: string
  sameId: boolean
}

export class RawStoreClient {
  static open(path: string): Promise<RawStoreClient>
  request(type: number, transactionId: number, payload: string): Promise<RawReply>
  write(bytes: Uint8Array): void
  reply(): Promise<RawReply>
  settle(): Promise<void>
  events(): string[]
  pause(): void
  resume(): void
  readonly closed: Promise<void>
  close(): Promise<void>
}
