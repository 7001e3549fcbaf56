/// What every connection costs in memory, idle or not (with 16 bytes in the deadline wheel).
struct ConnectionRecord {
    struct Flags: OptionSet {
        let rawValue: UInt16
        static let open = Flags(rawValue: 1)
        static let readingPaused = Flags(rawValue: 2)
        static let readEnded = Flags(rawValue: 4)
        static let congested = Flags(rawValue: 8)
        /// Closes when everything is sent; the driver gets no more calls about it except `closed`.
        static let closing = Flags(rawValue: 16)
        /// Everything is sent and the sending side is shut down; waits for the end of the peer's side.
        static let lingering = Flags(rawValue: 32)
        /// Is closed at the end of this turn.
        static let doomed = Flags(rawValue: 64)
        static let awaitsWritable = Flags(rawValue: 128)
        /// Its deadline passed, and the driver has not been called yet.
        static let deadlinePassed = Flags(rawValue: 256)
    }

    static let noBacklog: Int32 = -1

    var fd: Int32 = -1
    var generation: UInt32 = 0
    /// The run of frames that this turn sends to it.
    var run = Outbox.noRun
    /// Index into the table's backlogs.
    var backlog = noBacklog
    var flags: Flags = []

    /// The driver may send to it and gets its events.
    var isServed: Bool { flags.intersection([.open, .closing, .doomed]) == .open }
}
