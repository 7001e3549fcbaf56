import Linux
import Reactor
import Redis

/// Redis or Valkey: one connection publishes, another is subscribed to the channels of all lanes.
final class RedisEngine: Engine {
    weak var owner: (any EngineOwner)?
    private let settings: RedisBusSettings
    private let loop: EventLoop
    private let channels: [[UInt8]]
    private var publisher: RedisLink?
    private var subscriber: RedisLink?
    private var subscribed = 0
    /// The server has told its version, and the hub can use it.
    private var isAccepted = false
    private var deadline: TimerID?

    /// Bytes that may wait for the server.
    private static let mostWaiting = 16 * 1_024 * 1_024
    private static let connectWithin: Duration = .seconds(5)

    init(_ settings: RedisBusSettings, loop: EventLoop) {
        self.settings = settings
        self.loop = loop
        channels = settings.channels.map { Array($0.utf8) }
    }

    func open() {
        deadline = loop.after(Self.connectWithin) { [weak self] in
            self?.fail("not connected after \(Self.connectWithin.components.seconds) s")
        }
        do {
            publisher = try link { [unowned self] in hear(published: $0) }
            subscriber = try link { [unowned self] in hear(subscribed: $0) }
            publisher?.send(RedisVersion.question.map { Array($0.utf8) })
            // One command each: Redis refuses long ones of clients without a password as no protocol at all.
            for channel in channels { subscriber?.send([Array("SUBSCRIBE".utf8), channel]) }
        } catch {
            // The owner is told later, as of any other failure.
            let reason = "\(error)"
            _ = loop.after(.zero) { [weak self] in self?.fail(reason) }
        }
    }

    private func link(_ heard: @escaping ([RedisReply]) -> Void) throws -> RedisLink {
        try RedisLink(settings.address, loop: loop, heard: heard) { [unowned self] in fail($0) }
    }

    func send(_ packet: [UInt8], lane: Int) -> Bool {
        guard let publisher, publisher.waiting < Self.mostWaiting else { return false }
        publisher.send([Array("PUBLISH".utf8), channels[lane], packet])
        return true
    }

    func close() {
        if let deadline { loop.cancel(deadline) }
        deadline = nil
        publisher?.close()
        subscriber?.close()
        (publisher, subscriber, subscribed, isAccepted) = (nil, nil, 0, false)
    }

    /// Tells the owner at the end of what is being done now: it closes the engine.
    private func fail(_ reason: String) {
        guard publisher != nil || subscriber != nil || deadline != nil else { return }
        close()
        owner?.engineIsDown("redis \(settings.address.shown): \(reason)")
    }

    private func hear(published replies: [RedisReply]) {
        for reply in replies {
            if isAccepted {
                if case .error(let reason) = reply { return fail(reason) }
                continue
            }
            switch RedisVersion.judgement(of: reply) {
            case .accepted:
                isAccepted = true
                checkUp()
            case .refused(let reason): return fail(reason)
            case .none: break
            }
        }
    }

    private func hear(subscribed replies: [RedisReply]) {
        var packets: [[UInt8]] = []
        for reply in replies {
            switch reply {
            case .error(let reason): return fail(reason)
            case .list(let parts):
                guard parts.count == 3, case .text(let kind) = parts[0] else { continue }
                if kind == Array("message".utf8), case .text(let packet) = parts[2] {
                    packets.append(packet)
                } else if kind == Array("subscribe".utf8) {
                    subscribed += 1
                    if subscribed == channels.count { checkUp() }
                }
            case .text, .integer, .null: break
            }
        }
        if !packets.isEmpty { owner?.received(packets) }
    }

    private func checkUp() {
        guard isAccepted, subscribed == channels.count else { return }
        if let deadline { loop.cancel(deadline) }
        deadline = nil
        owner?.engineIsUp()
    }
}

/// A connection on the loop. It is not used any more after it has failed.
private final class RedisLink {
    private let connection: RedisConnection
    private let loop: EventLoop
    private let heard: ([RedisReply]) -> Void
    private let failed: (String) -> Void
    private var watch: WatchID?
    private var isWriting = true

    init(
        _ address: RedisAddress, loop: EventLoop, heard: @escaping ([RedisReply]) -> Void, failed: @escaping (String) -> Void
    ) throws {
        connection = try RedisConnection(address)
        self.loop = loop
        self.heard = heard
        self.failed = failed
        watch = try loop.watch(connection.descriptor, [.readable, .writable]) { [unowned self] in isReady($0) }
    }

    var waiting: Int { connection.waiting }

    /// Written in the next turn in which the socket takes it, together with all that is sent until then.
    func send(_ words: [[UInt8]]) {
        connection.append(words)
        guard !isWriting, let watch else { return }
        isWriting = true
        loop.change(watch, [.readable, .writable])
    }

    func close() {
        if let watch { loop.unwatch(watch) }
        watch = nil
    }

    private func isReady(_ readiness: EventLoop.Readiness) {
        do {
            if readiness.contains(.writable), try connection.write(), let watch {
                isWriting = false
                loop.change(watch, .readable)
            }
            guard readiness.contains(.readable) else { return }
            let replies = try connection.read()
            if watch != nil, !replies.isEmpty { heard(replies) }
        } catch {
            guard watch != nil else { return }
            failed("\(error)")
        }
    }
}
