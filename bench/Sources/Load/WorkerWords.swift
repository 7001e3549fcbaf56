import Dialect
import Report

/// The part of the load that one worker process generates.
struct Plan: Codable, Sendable {
    var door: Door
    var part: Part
    var seats: Int
    /// The number of this worker's first seat. Seats (client connections) are numbered over all workers.
    var firstSeat: Int
    var concurrency = 64
    /// Connections that this worker starts per second, over all its seats; 0: as many as `concurrency` allows.
    var connectRate = 0.0
    var processor: Int?
    /// The worker polls and never sleeps, so that no server pays for waking it. A fast server would have to wake it less often.
    var spins = false
    /// The time on the machine's monotonic clock from which marks and times are counted.
    var epoch: Int64
    /// Signs the hub's tokens.
    var signer: SignerPlan?
    /// Ports at which a seat that lost its connection tries to come back, one after the other; empty: a lost connection is a failure.
    var otherPorts: [UInt16] = []
}

struct SignerPlan: Codable, Sendable {
    var pem: String
    var issuer: String
    var audience: String
    /// Distinguishes the users of one run from those of another.
    var userPrefix: String
}

/// The kinds of client that a worker can run.
enum Part: Codable, Sendable {
    /// Subscribers that receive the published entries; see `Hearing`.
    case hear(Hearing)
    case echo(Echoing)
    case ack(Acknowledging)
    case talk(Talking)
}

struct Hearing: Codable, Sendable {
    var dialect: Dialect
    var channels = [Dialect.channel]
    /// Each of the hub's sessions also follows its own inbox.
    var followsInbox = false
    /// The worker informs the conductor each time every seat has received this many more deliveries.
    var announcesEvery = 0
    /// Clients also check the sequence numbers that the hub gives. Lost and repeated entries are counted, and a seat can resume.
    var followsNumbers = false
    /// The text of each entry names the user for whom it is; others are counted as foreign.
    var namesUsers = false
}

struct Echoing: Codable, Sendable {
    var dialect: Dialect
    var bytes: Int
    /// Messages per second and seat, sent on schedule; 0: each is sent when the one before has come back.
    var rate = 0.0
}

struct Acknowledging: Codable, Sendable {
    var channel = Dialect.channel
    /// Entries in the channel, which is also the number of acks that a seat can send.
    var head: UInt64
    /// Acks in flight per seat.
    var window = 1
    /// Acks per second and seat, sent on schedule; 0: each is sent when the reply to the one before arrives.
    var rate = 0.0
}

struct Talking: Codable, Sendable {
    /// Messages per second and pair, sent on schedule.
    var rate = 1.0
    var bodyBytes = 120
}

/// An order from the conductor to a worker.
enum Order: Codable, Sendable {
    case plan(Plan)
    case open
    /// The measured part begins; events are counted from here on.
    case begin
    /// Start no new operations. Answer when all pending ones are complete, or each seat has `expected`, or after the time limit.
    case finish(expected: Int64?, withinSeconds: Double)
    /// This many seats stop reading, or all seats read again.
    case pause(seats: Int)
    case resume
    /// Reset all connections.
    case cut
    /// Reconnect all seats and resume each at its last position; at most this many connect at the same time.
    case reopen
    case quit
}

/// A report from a worker to its conductor.
enum Word: Codable, Sendable {
    case planned
    /// Measuring has begun.
    case begun
    case ready(Findings)
    case progress(open: Int, events: Int64)
    /// Every seat has this many deliveries.
    case round(Int64)
    case done(Findings)
    case failed(String)
}

/// The results of a worker. Those of several workers can be added up.
struct Findings: Codable, Sendable {
    var counts: [String: Int64] = [:]
    var latencies: [String: LatencyRecorder] = [:]
    var userSeconds = 0.0
    var systemSeconds = 0.0
    var seconds = 0.0
    /// How often the workers slept, and how often the kernel ran another process instead of them.
    var sleeps: Int64 = 0
    var preemptions: Int64 = 0

    /// Workers in which some pending operation never completed.
    static let incomplete = "incomplete workers"
    static let messages = "WebSocket messages"
    static let others = "other than deliveries in them"
    /// Measured from the time when all clients are allowed to reconnect.
    static let back = "all come back → live again"
    static let lostConnections = "connections lost"
    static let elsewhere = "connection lost → live again"

    mutating func merge(_ other: Findings) {
        for (name, count) in other.counts { counts[name, default: 0] += count }
        for (name, recorder) in other.latencies { latencies[name, default: LatencyRecorder()].merge(recorder) }
        userSeconds += other.userSeconds
        systemSeconds += other.systemSeconds
        seconds = max(seconds, other.seconds)
        sleeps += other.sleeps
        preemptions += other.preemptions
    }

    func count(_ name: String) -> Int64 { counts[name] ?? 0 }
}
