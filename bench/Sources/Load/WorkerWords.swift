import Dialect
import Report

/// What one worker process is to play.
struct Plan: Codable, Sendable {
    var door: Door
    var part: Part
    var seats: Int
    /// Seats are numbered over all workers; this one's begin here.
    var firstSeat: Int
    var concurrency = 64
    /// Connections begun per second over all seats of this worker; 0: as `concurrency` allows.
    var connectRate = 0.0
    var processor: Int?
    /// Never sleeps, so that no server has to wake it: how often it sleeps depends on how fast the server is.
    var spins = false
    /// The zero of marks and moments, on the machine's monotonic clock.
    var epoch: Int64
    /// Signs the hub's tokens.
    var signer: SignerPlan?
}

struct SignerPlan: Codable, Sendable {
    var pem: String
    var issuer: String
    var audience: String
    /// Tells the users of one run from those of another.
    var userPrefix: String
}

/// The behaviours of a crowd.
enum Part: Codable, Sendable {
    /// Hears what is published; see `Hearing`.
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
    /// Tells the conductor at once when every seat has this many more.
    var announcesEvery = 0
    /// The hub's numbers are looked at too: what is lost or comes twice is counted, and a seat can resume.
    var followsNumbers = false
}

struct Echoing: Codable, Sendable {
    var dialect: Dialect
    var bytes: Int
    /// Messages per second and seat, at intended moments; 0: the next goes out when the last came back.
    var rate = 0.0
}

struct Acknowledging: Codable, Sendable {
    var channel = Dialect.channel
    /// Entries that lie in the channel: as many acks has a seat to give.
    var head: UInt64
    /// Acks on their way per seat.
    var window = 1
    /// Acks per second and seat, at intended moments; 0: the next goes out when a reply came.
    var rate = 0.0
}

struct Talking: Codable, Sendable {
    /// Messages per second and pair, at intended moments.
    var rate = 1.0
    var bodyBytes = 120
}

/// What a conductor says to a worker.
enum Order: Codable, Sendable {
    case plan(Plan)
    case open
    /// The measured part begins: from here on events are counted as of it.
    case begin
    /// No new operations; answer when all that is under way has come, or `expected` per seat, and in the end without it.
    case finish(expected: Int64?, withinSeconds: Double)
    /// This many seats stop reading, or all read again.
    case pause(seats: Int)
    case resume
    /// All connections are cut.
    case cut
    /// All connect again, from where they were, at most so many at once.
    case reopen
    case quit
}

/// What a worker says to its conductor.
enum Word: Codable, Sendable {
    case planned
    /// Measuring since now.
    case begun
    case ready(Findings)
    case progress(open: Int, events: Int64)
    /// Every seat has so many deliveries.
    case round(Int64)
    case done(Findings)
    case failed(String)
}

/// What a worker found; those of several add up.
struct Findings: Codable, Sendable {
    var counts: [String: Int64] = [:]
    var latencies: [String: LatencyRecorder] = [:]
    var userSeconds = 0.0
    var systemSeconds = 0.0
    var seconds = 0.0
    /// How often the workers slept, and how often another process was let on.
    var sleeps: Int64 = 0
    var preemptions: Int64 = 0

    /// Workers in which something that was under way never came.
    static let incomplete = "incomplete workers"
    static let messages = "WebSocket messages"
    static let others = "other than deliveries in them"
    /// From the moment when all may come back.
    static let back = "all come back → live again"

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
