import Bus
import Linux
import Logging
import Messaging
import Pacing
import Reactor
import Telemetry

/// The bus's own thread: writes what this hub commits as packets, hands them to the engine, and brings the packets of other hubs to the
/// listeners. It watches by pings whether it hears, and connects anew when it does not. Half of its stored properties are what it was made with.
final class EngineThread: EngineOwner {
    private let loop: EventLoop
    private let statistics: BusStatistics
    private let surroundings: EngineBus.Surroundings
    private let log: Logger
    private let heard: ([BusEvent]) -> Void
    private let changed: (BusHealth) -> Void
    private let engine: any Engine
    private let sender: UInt64
    private var dice = SystemRandomNumberGenerator()

    private var isOpen = false
    private var pings: TimerID?
    private var health: BusHealth?
    private var backoff = Backoff(first: .milliseconds(250), longest: .seconds(10), jitter: .upperHalf)
    private var echo = EchoWatch(at: .now)
    private var numbers = LaneNumbers()
    private var lastNumber = [UInt64](repeating: 0, count: BusPacket.lanes)

    init(
        _ loop: EventLoop, _ settings: EngineSettings, outgoing: Mailbox<[BusEvent]>, statistics: BusStatistics,
        surroundings: EngineBus.Surroundings, log: Logger, heard: @escaping ([BusEvent]) -> Void, changed: @escaping (BusHealth) -> Void
    ) {
        self.loop = loop
        self.statistics = statistics
        self.surroundings = surroundings
        self.log = log
        self.heard = heard
        self.changed = changed
        sender = dice.next()
        switch settings {
        case .kafka(let settings): engine = KafkaEngine(settings, loop: loop)
        case .redis(let settings): engine = RedisEngine(settings, loop: loop)
        }
        engine.owner = self
        loop.receive(from: outgoing) { [unowned self] batches in send(batches) }
    }

    func run() {
        engine.open()
        loop.run()
        engine.close()
    }

    // MARK: Sending

    private func send(_ batches: [[BusEvent]]) {
        var lanes = [[BusEvent]](repeating: [], count: BusPacket.lanes)
        for batch in batches {
            for event in batch { Self.sort(event, into: &lanes) }
        }
        for (lane, events) in lanes.enumerated() where !events.isEmpty {
            let encoded = BusCodec.encode(events)
            if encoded.leftOut > 0 { statistics.dropped.add(UInt64(encoded.leftOut)) }
            for message in encoded.messages { send(message, lane: lane) }
        }
    }

    private static func sort(_ event: BusEvent, into lanes: inout [[BusEvent]]) {
        switch event {
        case .entries(let entries):
            var rest = entries[...]
            while let first = rest.first {
                let run = rest.prefix { $0.channel == first.channel }
                lanes[BusPacket.lane(of: first.channel)].append(.entries(Array(run)))
                rest = rest.dropFirst(run.count)
            }
        case .active(let channel, _), .hidingChanged(let channel, _), .withdrawn(let channel, _), .signal(.typing(let channel, _, _)):
            lanes[BusPacket.lane(of: channel)].append(event)
        // All of one source in one lane, so that they come in order.
        case .signal(.presence(let news)): lanes[Int(news.source % UInt64(lanes.count))].append(event)
        case .moved(let cursor): lanes[BusPacket.lane(of: cursor.state.channel)].append(event)
        case .opened(let state, _): lanes[BusPacket.lane(of: state.channel)].append(event)
        case .fenced: lanes[0].append(event)
        // This hub has read them; the others read them themselves.
        case .storedElsewhere, .movedElsewhere: break
        }
    }

    @discardableResult
    private func send(_ message: [UInt8], lane: Int) -> UInt64 {
        lastNumber[lane] += 1
        let packet = BusPacket(
            sender: sender, epoch: surroundings.epoch()?.rawValue ?? 0, lane: lane, number: lastNumber[lane], message: message)
        if isOpen, engine.send(packet.bytes, lane: lane) { statistics.sent.add() } else if !packet.isPing { statistics.dropped.add() }
        return packet.number
    }

    /// Sends pings as long as the engine is open, and judges by them.
    private func ping() {
        guard isOpen else { return }
        guard !echo.isSilent(at: loop.now) else {
            return engineIsDown("a message to itself has not come back for \(EchoWatch.patience.components.seconds) s")
        }
        let lane = echo.lane
        echo.sent(EchoWatch.Ping(lane: lane, number: send([], lane: lane)), lanes: BusPacket.lanes, at: loop.now)
        pings = loop.after(echo.pause) { [weak self] in self?.ping() }
    }

    // MARK: EngineOwner

    func engineIsUp() {
        isOpen = true
        echo.restart(at: loop.now)
        ping()
        // What was sent while this hub did not hear is in the journal.
        surroundings.look()
    }

    func engineIsDown(_ reason: String) {
        engine.close()
        isOpen = false
        if let pings { loop.cancel(pings) }
        numbers.restart()
        statistics.restarts.add()
        set(.degraded(reason: reason))
        _ = loop.after(backoff.next(random: dice.next())) { [weak self] in self?.engine.open() }
    }

    func dropped(_ count: Int) { statistics.dropped.add(UInt64(count)) }

    func received(_ packets: [[UInt8]]) {
        var events: [BusEvent] = []
        var isMissing = false
        for bytes in packets {
            guard let packet = BusPacket(bytes) else {
                statistics.refused.add()
                continue
            }
            guard packet.sender != sender else {
                came(packet)
                continue
            }
            // Another database, or another history of this one: none of its entries may be shown here.
            guard packet.epoch != 0, packet.epoch == surroundings.epoch()?.rawValue else {
                if packet.epoch != 0 { statistics.refused.add() }
                continue
            }
            let missing = numbers.came(packet)
            if missing > 0 {
                statistics.gaps.add(missing)
                isMissing = true
            }
            guard !packet.isPing else { continue }
            statistics.received.add()
            guard let decoded = try? BusCodec.decode(packet.message) else {
                statistics.refused.add()
                isMissing = true
                continue
            }
            if decoded.unreadable > 0 { isMissing = true }
            events += decoded.events
        }
        if !events.isEmpty { heard(events) }
        if isMissing { surroundings.look() }
    }

    /// One of this hub's own packets. Those that are no pings are not awaited.
    private func came(_ packet: BusPacket) {
        guard packet.isPing, let lag = echo.came(EchoWatch.Ping(lane: packet.lane, number: packet.number), at: loop.now) else { return }
        statistics.lag.record(microseconds: UInt64(max(0, lag.wholeNanoseconds / 1_000)))
        backoff.succeeded()
        set(.up)
    }

    private func set(_ health: BusHealth) {
        guard health != self.health else { return }
        let wasUp = self.health == .up
        self.health = health
        changed(health)
        switch health {
        case .up:
            statistics.up.set(1)
            log.notice("the bus is heard")
        case .degraded(let reason):
            statistics.up.set(0)
            let again = "entries of other hubs come from the database meanwhile, up to half a second later"
            log.log(level: wasUp ? .warning : .info, "the bus is not heard: \(again)", metadata: ["reason": "\(reason)"])
        }
    }
}
