/// What every connection costs in memory, idle or not (with 16 bytes in the deadline wheel).
struct ConnectionRecord {
    struct Flags: OptionSet {
        let rawValue: UInt16
        static let open = Flags(rawValue: 1)
        static let readingPaused = Flags(rawValue: 2)
        static let readEnded = Flags(rawValue: 4)
        static let congested = Flags(rawValue: 8)
        /// To be closed once everything is sent; the driver hears no more of it.
        static let closing = Flags(rawValue: 16)
        /// Everything is sent, the sending side is ended: waits for the peer.
        static let lingering = Flags(rawValue: 32)
        /// Ends with this turn.
        static let doomed = Flags(rawValue: 64)
        static let awaitsWritable = Flags(rawValue: 128)
        /// Its deadline passed, and the driver is about to be told.
        static let deadlinePassed = Flags(rawValue: 256)
    }

    static let noBacklog: Int32 = -1

    var fd: Int32 = -1
    var generation: UInt32 = 0
    /// What this turn sends it.
    var run = Outbox.noRun
    /// Index into the table's backlogs.
    var backlog = noBacklog
    var flags: Flags = []

    /// The driver speaks to it and hears of it.
    var isServed: Bool { flags.intersection([.open, .closing, .doomed]) == .open }
}
