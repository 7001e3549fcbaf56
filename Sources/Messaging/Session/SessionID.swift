/// Identifies one session of one event loop. Slots are reused but generations are not, so the id of an ended session finds nothing.
public struct SessionID: Hashable, Sendable {
    public let slot: UInt32
    public let generation: UInt32

    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}
