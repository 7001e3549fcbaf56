import Linux
import Report

/// Every session acknowledges entry after entry; the hub answers each ack after its commit. A session sends the next ack when the reply
/// arrives (closed loop), or on schedule (open loop).
/// The first ack of a session is not measured, because for it the hub counts the whole channel, once per user.
final class AckCrowd: Crowd {
    private let acknowledging: Acknowledging
    private var next: [UInt64]
    private var answered: [UInt64]
    private var sentAt: [Int64]
    private var latencies = LatencyRecorder()
    private var replies: Int64 = 0
    /// In an open loop: when it began, the number that each seat began with, and how many acks are sent.
    private var startedAt: Int64 = 0
    private var first: [UInt64]
    private var sent: Int64 = 0

    init(_ plan: Plan, _ acknowledging: Acknowledging) throws {
        self.acknowledging = acknowledging
        next = Array(repeating: 1, count: plan.seats)
        answered = Array(repeating: 0, count: plan.seats)
        sentAt = Array(repeating: 0, count: plan.seats * acknowledging.window)
        first = Array(repeating: .max, count: plan.seats)
        try super.init(plan)
    }

    override func greeting(_ seat: Int) -> [UInt8] {
        let follow = HubWords.Follow(channel: acknowledging.channel, since: acknowledging.head)
        return swarm.frame(text: HubWords.connect(token: token(seat), [follow]))
    }

    override func began() {
        latencies = LatencyRecorder()
        replies = 0
        if acknowledging.rate > 0 {
            startedAt = MonotonicInstant.now.nanoseconds
            first = next
            sent = 0
        } else {
            for seat in 0..<plan.seats { for _ in 0..<acknowledging.window { send(seat) } }
        }
    }

    private func send(_ seat: Int) {
        let seq = next[seat]
        guard seq <= acknowledging.head else { return }
        next[seat] += 1
        sentAt[seat * acknowledging.window + Int(seq % UInt64(acknowledging.window))] = MonotonicInstant.now.nanoseconds
        swarm.send(seat, swarm.frame(text: HubWords.ack(id: seq + 1, channel: acknowledging.channel, seq: seq)))
    }

    private var interval: Double { 1e9 / (acknowledging.rate * Double(plan.seats)) }
    override var nextMoment: Int64? {
        guard isMeasuring, !isFinishing, acknowledging.rate > 0 else { return nil }
        return startedAt + Int64(Double(sent) * interval)
    }

    override func act() {
        while let moment = nextMoment, moment <= MonotonicInstant.now.nanoseconds {
            let seat = Int(sent) % plan.seats
            guard next[seat] <= acknowledging.head else { return runOut() }
            send(seat)
            sent += 1
        }
    }

    /// When an ack was scheduled. The seats take turns, so in an open loop the time follows from the ack's number.
    private func intended(_ seat: Int, _ seq: UInt64) -> Int64 {
        guard seq >= first[seat] else { return sentAt[seat * acknowledging.window + Int(seq % UInt64(acknowledging.window))] }
        return startedAt + Int64((Double(seq - first[seat]) * Double(plan.seats) + Double(seat)) * interval)
    }

    private func runOut() { fail("all \(acknowledging.head) entries are acknowledged: give a larger --entries") }

    override func received(_ seat: Int, _ message: Span<UInt8>) {
        HubLineView.each(message) { line in
            guard HubLineView.begins(message, line, HubLineView.reply) else {
                if HubLineView.begins(message, line, HubLineView.live) { send(seat) }
                if HubLineView.begins(message, line, HubLineView.bye) {
                    fail("client \(plan.firstSeat + seat): \(HubLineView.words(message, line))")
                }
                return
            }
            guard HubLineView.after(message, line, HubLineView.ok) != nil,
                let id = HubLineView.number(message, line, after: HubLineView.reply)
            else { return fail("client \(plan.firstSeat + seat) was refused: \(HubLineView.words(message, line))") }
            guard id > 1 else { return }
            answer(seat, seq: id - 1, delivered: HubLineView.number(message, line, after: HubLineView.delivered))
        }
    }

    private func answer(_ seat: Int, seq: UInt64, delivered: UInt64?) {
        guard let delivered, delivered >= seq, seq < next[seat] else {
            return fail(
                "client \(plan.firstSeat + seat): the reply to the ack of \(seq) says delivered \(delivered.map(String.init) ?? "nothing")")
        }
        latencies.record(intended: intended(seat, seq), at: MonotonicInstant.now.nanoseconds)
        answered[seat] += 1
        if seq == 1 { return becameReady(seat) }
        replies += 1
        events += 1
        guard isMeasuring, !isFinishing, acknowledging.rate == 0 else { return }
        if next[seat] > acknowledging.head { runOut() }
        send(seat)
    }

    override func isComplete(expected: Int64?) -> Bool { (0..<plan.seats).allSatisfy { answered[$0] == next[$0] - 1 } }

    override func conclude(expected: Int64?) {
        keep("ack → reply", latencies)
        count("acks", replies)
        // The database must have the same number at the end.
        count("delivered cursors", Int64(answered.reduce(0, +)))
    }
}
