/// Carries packets between hubs through a server that the platform runs. Lives on the thread of the bus.
///
/// It may lose, repeat and reorder. It never waits, and keeps what waits to be written within a bound.
protocol Engine: AnyObject {
    var owner: (any EngineOwner)? { get set }
    /// Connects. Exactly one of the owner's `engineIsUp` and `engineIsDown` follows; later failures are told by `engineIsDown`.
    func open()
    /// - Returns: false when the packet was dropped.
    func send(_ packet: [UInt8], lane: Int) -> Bool
    /// Ends what `open` began, and tells the owner nothing more.
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
