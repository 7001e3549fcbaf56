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
    private let signer: TokenSigner
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
        sessions.attach(clients)
    }

    /// A connected session of `name`, whose `connect` was answered with these channels.
    func connect(_ name: String, following states: [ChannelState] = [], institution: String? = nil) throws -> SessionKey {
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

    func open() -> SessionKey {
        opened += 1
        let key = SessionKey(rawValue: opened)
        sessions.open(key, format: 0, handshakeToken: nil)
        return key
    }

    func token(
        _ name: String, with other: TokenSigner? = nil, lifetime: Int64 = 600, institution: String? = nil
    ) throws -> String {
        let principal = Principal(subject: name, institution: institution, expiresAt: WallClock.now() / 1_000 + lifetime)
        return try (other ?? signer).token(for: principal, issuer: "tests", audience: "tests")
    }

    func say(_ key: SessionKey, _ lines: String...) { sessions.message(key, Array(lines.joined(separator: "\n").utf8).span) }

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
final class Clients: SessionOutlet {
    private(set) var sent: [SessionKey: [String]] = [:]
    private(set) var closed: [SessionKey: EndReason] = [:]
    private(set) var paused: Set<SessionKey> = []
    var congested: Set<SessionKey> = []
    private var staged: [String] = []

    func forget() { sent = [:] }
    func texts(_ key: SessionKey) -> [String] { sent[key] ?? [] }
    /// The types of the pushes, in order.
    func kinds(_ key: SessionKey) -> [String] {
        texts(key).compactMap { text in
            text.firstRange(of: #"{"type":""#).map { String(text[$0.upperBound...].prefix { $0 != "\"" }) }
        }
    }
    /// The numbers of the entries that were pushed.
    func seqs(_ key: SessionKey) -> [UInt64] {
        texts(key).compactMap { text in
            guard text.hasPrefix(#"{"type":"entry""#), let start = text.firstRange(of: #""seq":"#) else { return nil }
            return UInt64(text[start.upperBound...].prefix { $0.isNumber })
        }
    }

    func send(_ message: Span<UInt8>, to key: SessionKey) {
        let text = String(decoding: message.indices.map { message[$0] }, as: UTF8.self)
        sent[key, default: []] += text.split(separator: "\n").map(String.init)
    }
    func stage(_ frame: SharedFrame, format: UInt8) -> StagedFrame {
        staged.append(String(decoding: frame.json, as: UTF8.self))
        return StagedFrame(index: UInt32(staged.count - 1), turn: 0)
    }
    func send(_ frame: StagedFrame, to key: SessionKey) { sent[key, default: []].append(staged[Int(frame.index)]) }
    /// Congested after so many frames.
    var patience = Int.max
    func isCongested(_ key: SessionKey) -> Bool { congested.contains(key) || texts(key).count >= patience }
    func pauseReading(_ key: SessionKey) { paused.insert(key) }
    func resumeReading(_ key: SessionKey) { paused.remove(key) }
    func close(_ key: SessionKey, _ reason: EndReason) { closed[key] = reason }
    func identityChanged(_ key: SessionKey) {}
}

private final class Services: SessionServices {
    let bus: any Bus
    let store: any StoreDesk
    let features: [String] = []
    init(bus: any Bus, store: any StoreDesk) {
        self.bus = bus
        self.store = store
    }
    func makeSessionIDs() -> [String] { ["s"] }
    func requestKey(_ kid: String?) {}
}
