public import Linux

/// The sockets of one loop: accepts, reads into one buffer, queues, joins and sends, closes. Connects the store of
/// connections with the driver. The driver is never called while the store is being changed, so the driver may change it.
///
/// Owns its descriptors and, for each connection, one small record; a connection owns heap memory only while the peer does
/// not read what was sent.
public final class ConnectionTable {
    public let limits: ConnectionLimits
    let loop: EventLoop
    /// In the hub the HTTP server, which also passes the bytes of WebSockets on.
    unowned let driver: any ConnectionDriver
    let faults: SocketFaults?
    var store: ConnectionStore
    /// Lent to every receive. Empty while a driver reads in it.
    var receiveBuffer: [UInt8]
    /// Connections whose deadlines have passed, while the driver is called for each.
    var passed: [Int] = []
    var listeners: [(fd: Int32, watch: WatchID)] = []
    /// Set while accepting pauses.
    var acceptRetry: TimerID?

    public convenience init(loop: EventLoop, limits: ConnectionLimits, driver: any ConnectionDriver) {
        self.init(loop: loop, limits: limits, driver: driver, faults: nil)
    }

    /// - Parameter faults: makes chosen calls fail, for tests.
    init(loop: EventLoop, limits: ConnectionLimits, driver: any ConnectionDriver, faults: SocketFaults?) {
        self.loop = loop
        self.limits = limits
        self.driver = driver
        self.faults = faults
        receiveBuffer = [UInt8](repeating: 0, count: limits.receiveBytes)
        store = ConnectionStore(limits: limits, loop: loop, faults: faults, source: loop.nextSource)
        loop.register(self)
    }

    deinit {
        for listener in listeners { Socket.close(listener.fd) }
        for record in store.records where record.flags.contains(.open) { Socket.close(record.fd) }
    }

    /// Open connections, including those still closing.
    public var count: Int { store.count }
    public var statistics: ConnectionStatistics { store.statistics }
    /// Whether this table sends to many sockets in one system call.
    public var sendsTogether: Bool { store.ring != nil }
    /// Why it does not, although the limits ask for it.
    public var ringFailure: SystemError? { store.ringFailure }

    /// Takes over a connected, non-blocking socket. nil when it could not be watched; then it is closed.
    public func adopt(_ fd: Int32, peer: PeerAddress) -> ConnectionID? {
        guard let id = store.open(fd) else {
            Socket.close(fd)
            return nil
        }
        driver.opened(id, peer: peer)
        return id
    }

    /// Hands a connection over: the table stops watching its socket, and the driver gets no more calls about it. The new owner of the
    /// descriptor sends the `unsent` bytes first. Nil for a stale id, and for a connection that is ending.
    public func detach(_ id: ConnectionID) -> (fd: Int32, unsent: [UInt8])? { store.detach(id) }

    // MARK: Sending

    /// Makes a payload ready to be sent to any number of connections in this turn.
    public func stage(_ payload: Payload) -> StagedFrame { store.outbox.stage(payload.bytes) }

    /// Queues a staged frame. It costs one number in the connection's record, for a frame of any size.
    public func send(_ id: ConnectionID, _ frame: StagedFrame) { store.send(id, frame) }

    /// Queues bytes of this connection's own.
    public func send(_ id: ConnectionID, bytes: [UInt8]) { store.send(id, bytes) }

    /// Queues bytes lent for the call.
    public func send(_ id: ConnectionID, copying bytes: Span<UInt8>) { store.send(id, copying: bytes) }

    /// Sends everything queued in this turn: one call for each socket. The loop does it at the end of every turn.
    public func flush() { store.flush() }

    /// Unsent bytes above the high watermark, or not yet back at the low one: `drained` follows, or `closed`.
    public func isCongested(_ id: ConnectionID) -> Bool { store.isCongested(id) }

    /// Bytes the peer has not taken, with what was queued in this turn.
    public func backlogBytes(_ id: ConnectionID) -> Int { store.backlogBytes(id) }

    /// How many bytes the peer has taken, and how many more it accepts; nil for a stale id.
    public func peerWindow(_ id: ConnectionID) -> PeerWindow? {
        guard let slot = store.served(id) else { return nil }
        return Socket.peerWindow(store.records[slot].fd)
    }

    // MARK: Reading, deadlines, closing

    public func pauseReading(_ id: ConnectionID) { store.setReadingPaused(id, true) }
    public func resumeReading(_ id: ConnectionID) { store.setReadingPaused(id, false) }

    /// Sets the connection's one deadline; nil takes it back. Moving it later costs one memory store.
    public func setDeadline(_ id: ConnectionID, after delay: Duration?) {
        guard let slot = store.served(id) else { return }
        store.setDeadline(slot, delay)
    }

    /// Stale ids, and a second close, are ignored; `.now` cuts a running `.afterFlush` short.
    public func close(_ id: ConnectionID, _ how: CloseMode) { store.close(id, how) }
}
