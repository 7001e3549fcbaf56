/// Names one session of one event loop. A slot is used again, its generation is not: an id that outlived its session finds nothing.
public struct SessionID: Hashable, Sendable {
    public let slot: UInt32
    public let generation: UInt32

    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}
