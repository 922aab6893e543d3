/** What a domain's subsystems know of the domain they belong to. */
export interface DomainState {
  readonly domid: number
  /** Not any more once it is destroyed: nobody is left to carry out what its drivers were told to do at the end. */
  readonly running: boolean
}
