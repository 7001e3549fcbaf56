import Dialect
import Linux
import Report

/// Every seat has one message in flight (closed loop), or sends on schedule whether or not the server has answered (open loop).
final class EchoCrowd: Crowd {
    private let echoing: Echoing
    private var template: MarkedFrame
    /// The mark that each seat waits for; 0: none.
    private var awaited: [Int64]
    private var outstanding: [Int]
    private var latencies = LatencyRecorder()
    private var echoes: Int64 = 0
    private var sent: Int64 = 0
    private var startedAt: Int64 = 0

    init(_ plan: Plan, _ echoing: Echoing) throws {
        guard let message = echoing.dialect.echoMessage(mark: 0, bytes: echoing.bytes) else {
            throw LoadFailure("\(echoing.dialect.title) does not echo messages of \(echoing.bytes) B")
        }
        self.echoing = echoing
        template = MarkedFrame(message.bytes, markAt: 0)
        awaited = Array(repeating: 0, count: plan.seats)
        outstanding = Array(repeating: 0, count: plan.seats)
        try super.init(plan)
    }

    override func greeting(_ seat: Int) -> [UInt8] {
        becameReady(seat)
        return []
    }

    override func began() {
        startedAt = MonotonicInstant.now.nanoseconds
        latencies = LatencyRecorder()
        echoes = 0
        sent = 0
        if echoing.rate == 0 { for seat in 0..<plan.seats { send(seat, MonotonicInstant.now.nanoseconds - plan.epoch) } }
    }

    private func send(_ seat: Int, _ mark: Int64) {
        // Echoes arrive in order, so the newest mark confirms those before it.
        awaited[seat] = mark
        outstanding[seat] += 1
        swarm.send(seat, template.marked(UInt64(mark)))
    }

    override func received(_ seat: Int, _ message: Span<UInt8>) {
        guard message.count == echoing.bytes, let mark = Mark.read(message, at: 0) else {
            return fail("client \(plan.firstSeat + seat): the echo is not what was sent: \(HubLineView.words(message, 0..<message.count))")
        }
        guard outstanding[seat] > 0, Int64(mark) <= awaited[seat], echoing.rate > 0 || Int64(mark) == awaited[seat] else {
            return fail("client \(plan.firstSeat + seat): an echo of something else than the last message")
        }
        outstanding[seat] -= 1
        let now = MonotonicInstant.now.nanoseconds - plan.epoch
        latencies.record(intended: Int64(mark), at: now)
        echoes += 1
        events += 1
        if echoing.rate == 0, isMeasuring, !isFinishing { send(seat, now) }
    }

    private var interval: Double { 1e9 / (echoing.rate * Double(plan.seats)) }
    override var nextMoment: Int64? {
        guard isMeasuring, !isFinishing, echoing.rate > 0 else { return nil }
        return startedAt + Int64(Double(sent) * interval)
    }

    override func act() {
        while let next = nextMoment, next <= MonotonicInstant.now.nanoseconds {
            send(Int(sent) % plan.seats, next - plan.epoch)
            sent += 1
        }
    }

    override func isComplete(expected: Int64?) -> Bool { outstanding.allSatisfy { $0 == 0 } }

    override func conclude(expected: Int64?) {
        keep("echo", latencies)
        count("echoes", echoes)
    }
}

/// A client's frame that is built once. The mask stays the same, so a new mark changes only its digits.
struct MarkedFrame {
    private(set) var bytes: [UInt8]
    private let markStart: Int
    private let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
    private let offset: Int

    init(_ payload: [UInt8], markAt offset: Int) {
        var head: [UInt8] = [0x81]
        switch payload.count {
        case ..<126: head.append(0x80 | UInt8(payload.count))
        case ...0xFFFF: head += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: head += [0x80 | 127] + stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: payload.count >> $0) }
        }
        head += key
        self.offset = offset
        markStart = head.count + offset
        let key = key
        bytes = head + payload.enumerated().map { $1 ^ key[$0 & 3] }
    }

    mutating func marked(_ mark: UInt64) -> [UInt8] {
        var rest = mark
        for digit in stride(from: Mark.digits - 1, through: 0, by: -1) {
            bytes[markStart + digit] = (UInt8(ascii: "0") + UInt8(rest % 10)) ^ key[(offset + digit) & 3]
            rest /= 10
        }
        return bytes
    }
}
