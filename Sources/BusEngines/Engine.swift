/// Carries packets between hubs through a server that the platform runs. Lives on the thread of the bus.
///
/// An engine may lose, repeat and reorder packets. Its functions never wait, and the packets that it has not written yet are bounded.
protocol Engine: AnyObject {
    var owner: (any EngineOwner)? { get set }
    /// Connects. Exactly one of the owner's `engineIsUp` and `engineIsDown` follows; later failures are told by `engineIsDown`.
    func open()
    /// - Returns: false when the packet was dropped.
    func send(_ packet: [UInt8], lane: Int) -> Bool
    /// Closes all connections, and calls the owner no more.
    func close()
}

protocol EngineOwner: AnyObject {
    /// From now on the packets of all hubs are heard, also this one's own.
    func engineIsUp()
    /// The owner closes the engine, and opens it again after a pause.
    func engineIsDown(_ reason: String)
    func received(_ packets: [[UInt8]])
    /// Packets taken by `send` that were lost later.
    func dropped(_ count: Int)
}
