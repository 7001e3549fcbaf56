import Linux
import Report

/// Pairs of people: the even seat writes, the odd one receives, acknowledges and reads; the writer sees both receipts.
final class TalkCrowd: Crowd {
    private let talking: Talking
    private let body: String
    private var channels: [String]
    private var isSubscribed: [Bool]
    private var opened: [Bool]
    private var nextID: [UInt64]
    private var sent: Int64 = 0
    private var startedAt: Int64 = 0
    /// When each message was scheduled, by pair and by its number in the conversation.
    private var intended: [[Int64]]
    /// When the reader acknowledged each message.
    private var acknowledged: [[Int64]]
    private var receipts: Int64 = 0
    private var storedTo: [Int]
    private var arrivedTo: [Int]
    private var deliveredTo: [Int]
    private var readTo: [Int]

    init(_ plan: Plan, _ talking: Talking) throws {
        guard plan.seats.isMultiple(of: 2) else { throw LoadFailure("people talk in pairs: an even number of clients per worker") }
        self.talking = talking
        body =
            String(repeating: "Bonjour, as-tu lu mon portfolio ? ", count: talking.bodyBytes / 34 + 1).prefix(talking.bodyBytes).description
        let pairs = plan.seats / 2
        channels = Array(repeating: "", count: pairs)
        isSubscribed = Array(repeating: false, count: plan.seats)
        opened = Array(repeating: false, count: plan.seats)
        nextID = Array(repeating: 10, count: plan.seats)
        intended = Array(repeating: [], count: pairs)
        acknowledged = intended
        storedTo = Array(repeating: 0, count: pairs)
        arrivedTo = storedTo
        deliveredTo = storedTo
        readTo = storedTo
        try super.init(plan)
    }

    override func greeting(_ seat: Int) -> [UInt8] { swarm.frame(text: HubWords.connect(token: token(seat), [])) }

    private func say(_ seat: Int, _ command: [UInt8]) { swarm.send(seat, swarm.frame(text: command)) }

    override func received(_ seat: Int, _ message: Span<UInt8>) {
        HubLineView.each(message) { line in
            if HubLineView.begins(message, line, HubLineView.reply) { return reply(seat, message, line) }
            if HubLineView.begins(message, line, HubLineView.entry) { return entry(seat, message, line) }
            if HubLineView.begins(message, line, HubLineView.receipt) { return receipt(seat, message, line) }
            if HubLineView.begins(message, line, HubLineView.bye) {
                fail("client \(plan.firstSeat + seat): \(HubLineView.words(message, line))")
            }
        }
    }

    /// 1 connect, 2 open, 3 subscribe; from 10 on messages, acks and marks.
    private func reply(_ seat: Int, _ message: Span<UInt8>, _ line: Range<Int>) {
        guard HubLineView.after(message, line, HubLineView.ok) != nil, let id = HubLineView.number(message, line, after: HubLineView.reply)
        else { return fail("client \(plan.firstSeat + seat) was refused: \(HubLineView.words(message, line))") }
        let pair = seat / 2
        switch id {
        case 1:
            opened[seat] = true
            // Both users are connected: the first one opens the conversation.
            if opened[seat ^ 1] { say(pair * 2, HubWords.open(id: 2, with: user(pair * 2 + 1))) }
        case 2:
            channels[pair] = HubLineView.text(message, line, after: HubLineView.channel) ?? ""
            say(seat, HubWords.subscribe(id: 3, channel: channels[pair]))
            say(seat ^ 1, HubWords.subscribe(id: 3, channel: channels[pair]))
        case 3:
            isSubscribed[seat] = true
            if isSubscribed[seat ^ 1] {
                becameReady(seat)
                becameReady(seat ^ 1)
            }
        default:
            // Only replies to the writer's sends are awaited here. The receipts confirm acks and read marks.
            guard seat.isMultiple(of: 2) else { return }
            guard let seq = HubLineView.number(message, line, after: HubLineView.seq).map({ Int($0) }), seq == storedTo[pair] + 1 else {
                return fail("client \(plan.firstSeat + seat): an unexpected reply: \(HubLineView.words(message, line))")
            }
            storedTo[pair] = seq
            record("send → reply", from: intended[pair][seq - 1], to: moment)
        }
    }

    private func entry(_ seat: Int, _ message: Span<UInt8>, _ line: Range<Int>) {
        guard !seat.isMultiple(of: 2) else { return }
        let pair = seat / 2
        guard let seq = HubLineView.number(message, line, after: HubLineView.seq).map({ Int($0) }), seq == arrivedTo[pair] + 1,
            HubLineView.number(message, line, after: HubLineView.identifier) == UInt64(seq)
        else { return fail("client \(plan.firstSeat + seat): not the next message: \(HubLineView.words(message, line))") }
        arrivedTo[pair] = seq
        let now = moment
        record("send → other's socket", from: intended[pair][seq - 1], to: now)
        acknowledged[pair].append(now)
        say(seat, HubWords.ack(id: nextID[seat], channel: channels[pair], seq: UInt64(seq)))
        say(seat, HubWords.markRead(id: nextID[seat] + 1, channel: channels[pair], upTo: UInt64(seq)))
        nextID[seat] += 2
    }

    private func receipt(_ seat: Int, _ message: Span<UInt8>, _ line: Range<Int>) {
        guard seat.isMultiple(of: 2) else { return }
        let pair = seat / 2
        let delivered = Int(HubLineView.number(message, line, after: HubLineView.delivered) ?? 0)
        let read = Int(HubLineView.number(message, line, after: HubLineView.read) ?? 0)
        guard delivered <= arrivedTo[pair], read <= delivered else {
            return fail("client \(plan.firstSeat + seat): a receipt of what did not arrive: \(HubLineView.words(message, line))")
        }
        receipts += 1
        let now = moment
        while deliveredTo[pair] < delivered {
            record("send → delivered receipt", from: intended[pair][deliveredTo[pair]], to: now)
            record("ack → delivered receipt at the sender", from: acknowledged[pair][deliveredTo[pair]], to: now)
            deliveredTo[pair] += 1
        }
        while readTo[pair] < read {
            record("send → read receipt", from: intended[pair][readTo[pair]], to: now)
            readTo[pair] += 1
            events += 1
        }
    }

    override func began() {
        startedAt = MonotonicInstant.now.nanoseconds
        sent = 0
    }

    private var interval: Double { 1e9 / (talking.rate * Double(max(plan.seats / 2, 1))) }
    override var nextMoment: Int64? {
        guard isMeasuring, !isFinishing else { return nil }
        return startedAt + Int64(Double(sent) * interval)
    }

    override func act() {
        while let next = nextMoment, next <= MonotonicInstant.now.nanoseconds {
            let pair = Int(sent) % (plan.seats / 2)
            sent += 1
            intended[pair].append(next - plan.epoch)
            let key = UInt64(intended[pair].count)
            say(pair * 2, HubWords.send(id: nextID[pair * 2], channel: channels[pair], key: key, body: body))
            nextID[pair * 2] += 1
        }
    }

    override func isComplete(expected: Int64?) -> Bool {
        (0..<channels.count).allSatisfy { pair in
            let all = intended[pair].count
            return storedTo[pair] == all && arrivedTo[pair] == all && deliveredTo[pair] == all && readTo[pair] == all
        }
    }

    override func conclude(expected: Int64?) {
        count("messages", sent)
        count("stored messages", Int64(storedTo.reduce(0, +)))
        count("arrived messages", Int64(arrivedTo.reduce(0, +)))
        count("messages with a delivered receipt", Int64(deliveredTo.reduce(0, +)))
        count("messages with a read receipt", Int64(readTo.reduce(0, +)))
        count("receipts, each for one or more messages", receipts)
    }
}
