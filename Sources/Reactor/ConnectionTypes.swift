public import Linux

/// Names one connection of a loop. A slot is reused, its generation is not: a stale id is ignored.
public struct ConnectionID: Hashable, Sendable {
    public let slot: UInt32
    public let generation: UInt32
    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// Bytes on their way to many sockets: immutable, shared by connections and loops.
public final class Payload: Sendable {
    public let bytes: [UInt8]
    public init(_ bytes: [UInt8]) { self.bytes = bytes }
}

/// A payload prepared for this turn. Sending it in a later turn is a caller's bug and sends nothing.
public struct StagedFrame: Sendable {
    package let index: UInt32
    package let turn: UInt32
    /// - Parameters: chosen by a consumer that stages frames of its own; a connection table takes only those it made.
    package init(index: UInt32, turn: UInt32) {
        self.index = index
        self.turn = turn
    }

    /// Sends nothing.
    public static let none = StagedFrame(index: .max, turn: 0)
}

public enum CloseMode: Sendable {
    /// Sends what is queued, ends the sending side, and waits for the peer's end, so that the last frame is not lost to a reset.
    /// Either wait lasts at most `ConnectionLimits.linger`.
    case afterFlush
    /// Closes at the end of the turn; what is queued and unsent is dropped.
    case now
}

public enum CloseCause: Equatable, Sendable {
    /// Closed by this side.
    case closed
    /// The peer ended it, both ways.
    case ended
    /// errno of the failed transfer: ECONNRESET and EPIPE from a peer that went away, ETIMEDOUT from a network that did.
    case failed(Int32)
    /// More was queued than `ConnectionLimits.backlogBytes`.
    case overflow
}

/// Bounds of one loop's connections.
public struct ConnectionLimits: Equatable, Sendable {
    /// Connections of one loop. Beyond it a new one takes the place of one that the driver can spare.
    public var maximum = 100_000
    /// Connections accepted beyond the maximum when the driver can spare none: it answers questions about its health on them, and
    /// refuses everything else. When they are used up, accepting pauses and the kernel's backlog holds the rest.
    public var reserve = 0
    /// Unsent bytes above which a connection counts as congested: its consumer should stop pushing.
    public var highWatermarkBytes = 256 * 1_024
    /// Unsent bytes below which a congested connection counts as drained.
    public var lowWatermarkBytes = 64 * 1_024
    /// Unsent bytes at which the connection is closed, because its peer does not read.
    public var backlogBytes = 4 * 1_024 * 1_024
    /// The loop's one receive buffer: the most that is read from one connection per turn.
    public var receiveBytes = 64 * 1_024
    /// Connections accepted per turn and listener, so that a storm does not starve those already there.
    public var acceptsPerTurn = 64
    /// How long accepting pauses when descriptors run out and none is closed.
    public var acceptPause: Duration = .milliseconds(100)
    /// How long a closed connection waits for its peer to take what is queued, and then for its end.
    public var linger: Duration = .seconds(2)
    /// What a turn sends to many sockets goes out in one system call, where the kernel can (io_uring).
    public var sendsTogether = true
    public init() {}
}

/// What a loop's sockets did so far.
public struct ConnectionStatistics: Equatable, Sendable {
    public var accepted: UInt64 = 0
    public var closed: UInt64 = 0
    public var bytesIn: UInt64 = 0
    public var bytesOut: UInt64 = 0
    public var receives: UInt64 = 0
    public var sends: UInt64 = 0
    public var partialSends: UInt64 = 0
    /// Calls that sent to many sockets.
    public var ringSubmits: UInt64 = 0
    public var acceptPauses: UInt64 = 0
    /// Connections closed to make room for new ones.
    public var spared: UInt64 = 0
    public var acceptFailures: UInt64 = 0
    public var overflows: UInt64 = 0
    public init() {}
}

/// The user of the connections. Called on the loop's thread. After `ConnectionTable.close` only `closed` is called.
public protocol ConnectionDriver: AnyObject {
    func opened(_ id: ConnectionID, peer: PeerAddress)
    /// The bytes are lent for the call, and may be changed in place.
    func received(_ id: ConnectionID, _ bytes: inout MutableSpan<UInt8>)
    /// The peer will send no more; writes may still go out. The table does not close the connection by itself.
    func peerClosed(_ id: ConnectionID)
    /// What is unsent fell to the low watermark after having passed the high one.
    func drained(_ id: ConnectionID)
    /// The deadline of `setDeadline` passed.
    func deadline(_ id: ConnectionID)
    /// The loop has as many connections as it may: names the one that can be spared most easily; nil when there is none.
    func spare() -> ConnectionID?
    /// Exactly once for each `opened`, at the end of a turn, never from inside another call.
    func closed(_ id: ConnectionID, _ cause: CloseCause)
}

extension ConnectionDriver {
    public func spare() -> ConnectionID? { nil }
}
