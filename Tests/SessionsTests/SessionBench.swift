import Auth
import Bus
import Linux
import Logging
import Messaging
import OpenSSL
import StoreAPI
import TestKit
import Testing

@testable import Reactor
@testable import Sessions

/// One loop's sessions between a store that answers when it is told to and clients that keep what they were sent.
final class SessionBench {
    let loop: EventLoop
    let inbox: LoopInbox
    let sessions: SessionLoop
    let store = MockStore()
    let clients = Clients()
    let bus = HeardBus()
    let signer: TokenSigner
    private var opened: UInt64 = 0

    init(openOrders: Int = 1_024, _ adjust: (inout SessionLimits) -> Void = { _ in }) throws {
        loop = try EventLoop(name: "sessions")
        inbox = LoopInbox(loop: loop.handle, events: 64, orders: openOrders)
        signer = try TokenSigner.generate()
        var limits = SessionLimits()
        adjust(&limits)
        sessions = SessionLoop(
            loop: loop, inbox: inbox, limits: limits, verifier: TokenVerifier(policy: TokenPolicy(), keys: try signer.keySet()),
            services: Services(bus: bus, store: store), metrics: ServingMetrics(),
            log: Logger(label: "sessions") { _ in SwiftLogNoOpLogHandler() })
        clients.number = sessions.add(clients)
        sessions.start()
    }

    /// A connected session of `name`, whose `connect` was answered with these channels.
    func connect(_ name: String, following states: [ChannelState] = [], institution: String? = nil) throws -> SessionID {
        let key = open()
        let channels = states.map { #"{"channel":"\#($0.channel.wireName)"}"# }.joined(separator: ",")
        say(key, #"{"id":1,"type":"connect","token":"\#(try token(name, institution: institution))","channels":[\#(channels)]}"#)
        turn()
        let orders = store.take()
        try #require(orders.count == 1)
        answer(orders[0], .snapshot(states, more: false))
        clients.forget()
        return key
    }

    func open(isBrowser: Bool = false, isResumable: Bool = false) -> SessionID {
        let nowhere = Route(transport: clients.number, encoding: 0, address: TransportAddress(rawValue: .max))
        let id = sessions.open(route: nowhere, credential: nil, isBrowser: isBrowser, isResumable: isResumable)
        sessions.move(id, to: clients.route(to: id))
        return id
    }

    func token(
        _ name: String, with other: TokenSigner? = nil, lifetime: Int64 = 600, institution: String? = nil
    ) throws -> String {
        let principal = Principal(subject: name, institution: institution, expiresAt: WallClock.now() / 1_000 + lifetime)
        return try (other ?? signer).token(for: principal, issuer: "tests", audience: "tests")
    }

    func say(_ key: SessionID, _ lines: String...) { sessions.message(key, Array(lines.joined(separator: "\n").utf8).span) }

    /// The key source says that these keys count, as of a fetch that began now or then.
    func publish(_ signers: [TokenSigner], asOf began: MonotonicInstant = .now) throws {
        let keys = KeySet(keys: try signers.flatMap { try $0.keySet().keys })
        inbox.hear(.keys(keys, asOf: .nanoseconds(began.nanoseconds)))
        turn()
    }

    /// One turn of the loop, which never waits here.
    func turn() {
        loop.handle.wake()
        loop.turn()
    }

    func answer(_ order: StoreOrder, _ reply: StoreReply) {
        inbox.deliver([StoreOutcome(token: order.token, reply: reply)])
        turn()
    }

    func hear(_ events: BusEvent...) {
        inbox.hear(events)
        turn()
    }
}

/// The lines that were sent to each session, as text.
final class Clients: Transport {
    let name = "test"
    var number: UInt8 = 0

    private(set) var sent: [SessionID: [String]] = [:]
    private(set) var closed: [SessionID: EndReason] = [:]
    private(set) var paused: Set<SessionID> = []
    var congested: Set<SessionID> = []
    private var staged: [(text: String, encoding: UInt8)] = []
    /// The encodings of the frames that were sent to each session.
    private(set) var encodings: [SessionID: [UInt8]] = [:]

    var stagedCount: Int { staged.count }
    func forget() { sent = [:] }
    func texts(_ key: SessionID) -> [String] { sent[key] ?? [] }
    /// The types of the pushes, in order.
    func kinds(_ key: SessionID) -> [String] {
        texts(key).compactMap { text in
            text.firstRange(of: #"{"type":""#).map { String(text[$0.upperBound...].prefix { $0 != "\"" }) }
        }
    }
    /// The numbers of the entries that were pushed.
    func seqs(_ key: SessionID) -> [UInt64] {
        texts(key).compactMap { text in
            guard text.hasPrefix(#"{"type":"entry""#), let start = text.firstRange(of: #""seq":"#) else { return nil }
            return UInt64(text[start.upperBound...].prefix { $0.isNumber })
        }
    }

    func route(to id: SessionID, encoding: UInt8 = 0) -> Route {
        Route(transport: number, encoding: encoding, address: TransportAddress(rawValue: UInt64(id.generation) << 32 | UInt64(id.slot)))
    }

    private func session(_ address: TransportAddress) -> SessionID {
        SessionID(slot: UInt32(truncatingIfNeeded: address.rawValue), generation: UInt32(truncatingIfNeeded: address.rawValue >> 32))
    }

    func send(_ message: Span<UInt8>, to address: TransportAddress) {
        let text = String(decoding: message.indices.map { message[$0] }, as: UTF8.self)
        sent[session(address), default: []] += text.split(separator: "\n").map(String.init)
    }
    func stage(_ frame: SharedFrame, encoding: UInt8) -> StagedFrame {
        staged.append((String(decoding: frame.json, as: UTF8.self), encoding))
        return StagedFrame(index: UInt32(staged.count - 1), turn: 0)
    }
    func send(_ frame: StagedFrame, to address: TransportAddress) {
        sent[session(address), default: []].append(staged[Int(frame.index)].text)
        encodings[session(address), default: []].append(staged[Int(frame.index)].encoding)
    }
    /// The number of frames after which a session counts as congested.
    var mostTexts = Int.max
    func isCongested(_ address: TransportAddress) -> Bool {
        congested.contains(session(address)) || texts(session(address)).count >= mostTexts
    }
    var unsent: [SessionID: Int] = [:]
    func unsentBytes(_ address: TransportAddress) -> Int { unsent[session(address)] ?? 0 }
    func pauseReading(_ address: TransportAddress) { paused.insert(session(address)) }
    func resumeReading(_ address: TransportAddress) { paused.remove(session(address)) }
    func end(_ address: TransportAddress, _ reason: EndReason, spread: Duration) { closed[session(address)] = reason }
}

private final class Services: SessionServices {
    let bus: any Bus
    let store: any StoreDesk
    let node = "bench"
    let features: [String] = []
    init(bus: any Bus, store: any StoreDesk) {
        self.bus = bus
        self.store = store
    }
    func makeSessionIDs() -> [String] { ["s"] }
    func requestKey(_ kid: String?) {}
}
