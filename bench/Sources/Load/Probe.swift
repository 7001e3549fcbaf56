import Dialect
import Linux
import Report

/// Measures the latency of acks while the hub serves other clients. The probe is one more client, seat 0 of the conductor's own swarm.
/// It acknowledges an entry of its own inbox every few milliseconds, without waiting for the replies.
final class Probe: Player {
    private let conductor: Conductor
    private let user: String
    private let token: String
    private let interval: Int64
    private let entries: UInt64
    private var heard: UInt64 = 0
    private var isLive = false
    private var next: UInt64 = 1
    private var answered = 0
    private var sentAt: [UInt64: Int64] = [:]
    private var nextAt = Int64.max
    private var failure: String?
    private(set) var latencies = LatencyRecorder()

    init(_ conductor: Conductor, _ publisher: KafkaPublisher, every interval: Duration, seconds: Double) throws {
        guard let signer = conductor.server.signer else { throw LoadFailure("without the hub's signing key there is no probe") }
        self.conductor = conductor
        self.interval = interval.wholeNanoseconds
        user = signer.userPrefix + "probe"
        token = try Tokens(signer).token(subject: user)
        entries = UInt64(seconds / interval.seconds) + 50
        let swarm = conductor.swarm
        swarm.player = self
        try swarm.connect(0, intended: 0)
        try conductor.wait(within: .seconds(20), for: "the probe to be live") { [unowned self] in
            try check()
            return isLive
        }
        for _ in 0..<entries { try publisher.publish(to: user, mark: MonotonicInstant.now.nanoseconds, body: "") }
        // The hub refuses an ack for an entry that it has not sent to this session.
        try conductor.wait(within: .seconds(60), for: "the probe to have something to acknowledge") { [unowned self] in
            try check()
            return heard >= entries
        }
    }

    func start() {
        nextAt = MonotonicInstant.now.nanoseconds
        conductor.pulse = { [unowned self] in try pulse() }
    }

    func stop() throws {
        nextAt = .max
        try conductor.wait(within: .seconds(20), for: "the probe's replies") { [unowned self] in
            try check()
            return sentAt.isEmpty
        }
        conductor.pulse = nil
    }

    private func check() throws { if let failure { throw LoadFailure("the probe: \(failure)") } }

    private func pulse() throws -> Int64 {
        try check()
        while nextAt <= MonotonicInstant.now.nanoseconds, next <= entries {
            sentAt[next] = nextAt
            conductor.swarm.send(0, conductor.swarm.frame(text: HubWords.ack(id: next + 1, channel: "inbox", seq: next)))
            next += 1
            nextAt += interval
        }
        return next <= entries ? nextAt : .max
    }

    func greeting(_ seat: Int) -> [UInt8] {
        conductor.swarm.frame(text: HubWords.connect(token: token, [HubWords.Follow(channel: "inbox", since: nil)]))
    }

    func received(_ seat: Int, _ message: Span<UInt8>) {
        HubLineView.each(message) { line in
            if HubLineView.begins(message, line, HubLineView.live) { isLive = true }
            if HubLineView.begins(message, line, HubLineView.entry) {
                heard = max(heard, HubLineView.number(message, line, after: HubLineView.seq) ?? 0)
            }
            guard HubLineView.begins(message, line, HubLineView.reply) else { return }
            guard HubLineView.after(message, line, HubLineView.ok) != nil,
                let id = HubLineView.number(message, line, after: HubLineView.reply)
            else {
                failure = HubLineView.words(message, line)
                return
            }
            guard id > 1 else { return }
            guard let start = sentAt.removeValue(forKey: id - 1) else {
                failure = "an unexpected reply: \(HubLineView.words(message, line))"
                return
            }
            latencies.record(intended: start, at: MonotonicInstant.now.nanoseconds)
        }
    }

    func lost(_ seat: Int, _ reason: String) { failure = reason }
}
