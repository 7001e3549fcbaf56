import Dialect
import Linux
import Report

/// Subscribers. Deliveries are counted by seat; the latency of each is measured from the mark that it carries.
final class HearingCrowd: Crowd {
    private let hearing: Hearing
    private var listeners: [Listener]
    private var heard: [Int64]
    /// The newest sequence number that each seat has of each channel, ordered by seat; see `followsNumbers`.
    private var positions: [UInt64?]
    private var bytesBefore: Int64 = 0
    private let channels: [String]
    /// The text by which a line of the hub names each channel.
    private let names: [[UInt8]]
    private var measuredDeliveries: Int64 = 0
    /// WebSocket messages, and the frames in them that are not deliveries, such as the hub's counters.
    private var messages: Int64 = 0
    private var others: Int64 = 0
    private var latencies = LatencyRecorder()
    private var slow = LatencyRecorder()
    private var beginMark: Int64 = 0
    private var announced: Int64 = 0
    private var reached = 0
    private var completeSince: Int64?

    init(_ plan: Plan, _ hearing: Hearing) throws {
        self.hearing = hearing
        listeners = []
        heard = Array(repeating: 0, count: plan.seats)
        channels = hearing.channels + (hearing.followsInbox ? ["inbox"] : [])
        names = channels.map { Array(#""channel":"\#($0)""#.utf8) }
        positions = Array(repeating: nil, count: plan.seats * channels.count)
        listeners = Array(repeating: Listener(hearing.dialect, .subscriber, channels: channels.count), count: plan.seats)
        announced = Int64(hearing.announcesEvery)
        try super.init(plan)
    }

    override func greeting(_ seat: Int) -> [UInt8] {
        listeners[seat] = Listener(hearing.dialect, .subscriber, channels: channels.count)
        if listeners[seat].isReady { becameReady(seat) }
        guard hearing.dialect == .hub else {
            return hearing.dialect.greeting(.subscriber, session: plan.firstSeat + seat)
                .flatMap { swarm.frame($0) }
        }
        let follows = channels.enumerated().map { HubWords.Follow(channel: $1, since: positions[seat * channels.count + $0]) }
        return swarm.frame(text: HubWords.connect(token: token(seat), follows))
    }

    override func received(_ seat: Int, _ message: Span<UInt8>) {
        var deliveries = 0
        let now = moment
        let said = listeners[seat].receive(message) { mark in
            deliveries += 1
            guard let mark else {
                count("foreign deliveries")
                return
            }
            guard isMeasuring, Int64(mark) >= beginMark else { return }
            if seat < max(slowSeats, plan.door.smallBufferSeats) {
                slow.record(intended: Int64(mark), at: now)
            } else {
                latencies.record(intended: Int64(mark), at: now)
            }
        }
        if isMeasuring {
            messages += 1
            others += Int64(said.others)
        }
        if hearing.followsNumbers { follow(seat, message) }
        if deliveries > 0 { note(seat, deliveries) }
        if said.becameReady { becameReady(seat) }
        if let answer = said.answer { swarm.send(seat, swarm.frame(answer)) }
        if let refusal = said.refusal, seat >= slowSeats || !refusal.hasPrefix(Self.bye) {
            fail("client \(plan.firstSeat + seat) was refused: \(refusal)")
        }
    }

    private static let bye = #"{"type":"bye""#

    private func note(_ seat: Int, _ deliveries: Int) {
        let before = heard[seat]
        heard[seat] += Int64(deliveries)
        events += Int64(deliveries)
        if isMeasuring { measuredDeliveries += Int64(deliveries) }
        guard announced > 0, before < announced, heard[seat] >= announced else { return }
        reached += 1
        while reached == plan.seats {
            announce?(.round(announced))
            announced += Int64(hearing.announcesEvery)
            reached = heard.count { $0 >= announced }
        }
    }

    /// Checks that each number arrives once and in order, and counts the violations.
    private func follow(_ seat: Int, _ message: Span<UInt8>) {
        HubLineView.each(message) { line in
            let isEntry = HubLineView.begins(message, line, HubLineView.entry)
            guard isEntry || HubLineView.begins(message, line, HubLineView.live) else { return }
            guard let number = HubLineView.number(message, line, after: HubLineView.seq) else { return }
            guard let channel = names.firstIndex(where: { HubLineView.after(message, line, $0) != nil }) else {
                return count("foreign deliveries")
            }
            let slot = seat * channels.count + channel
            let position = positions[slot]
            if isEntry {
                if hearing.namesUsers, HubLineView.after(message, line, Array("for \(user(seat)).".utf8)) == nil {
                    count("foreign deliveries")
                }
                if let position, number <= position { return count("duplicates") }
                if let position, number > position + 1 { count("gaps", Int64(number - position - 1)) }
                positions[slot] = number
            } else if position == nil {
                positions[slot] = number
            } else if let position, number > position {
                count("gaps", Int64(number - position))
                positions[slot] = number
            }
        }
    }

    override func began() {
        beginMark = MonotonicInstant.now.nanoseconds - plan.epoch
        measuredDeliveries = 0
        (messages, others) = (0, 0)
        bytesBefore = swarm.receivedBytes
        latencies = LatencyRecorder()
        slow = LatencyRecorder()
    }

    override func isComplete(expected: Int64?) -> Bool {
        guard let expected else { return true }
        guard heard.allSatisfy({ $0 >= expected }) else { return false }
        // Wait a little longer, because a duplicate would arrive after the original.
        let now = MonotonicInstant.now.nanoseconds
        completeSince = completeSince ?? now
        return now - (completeSince ?? now) > 100_000_000
    }

    override func conclude(expected: Int64?) {
        keep("publish → delivered", latencies)
        if !slow.isEmpty { keep("publish → delivered, to the share that may stop reading", slow) }
        count("deliveries", measuredDeliveries)
        count(Findings.messages, messages)
        count(Findings.others, others)
        count("bytes received", swarm.receivedBytes - bytesBefore)
        completeSince = nil
        guard let expected else { return }
        count("missing", heard.reduce(0) { $0 + max(expected - $1, 0) })
        count("more than published", heard.reduce(0) { $0 + max($1 - expected, 0) })
    }
}
