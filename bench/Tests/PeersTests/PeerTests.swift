import Dialect
import Linux
import Peers
import Testing

/// Tests with the real servers. A server that is not installed is skipped; `scripts/setup bench` installs them.
@Suite("A peer", .serialized)
struct PeerTests {
    static let bench = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    static let subscribers = 10

    @Test(
        "Delivers every publication to every subscriber, once and in order, in messages of the asked length",
        arguments: Peer.all(bench: bench))
    func everyDelivery(peer: Peer) throws {
        guard (try? peer.version()) != nil else { return }
        let running = try peer.start()
        defer { running.stop() }
        let subscribers = try (0..<Self.subscribers).map { try Client(running, .subscriber, session: $0) }
        let publisher = try Client(running, .publisher, session: 0)
        // One at a time, then twenty at once.
        for mark in UInt64(1)...5 {
            try publisher.publish([mark])
            for subscriber in subscribers { try subscriber.receive(until: Int(mark)) }
        }
        try publisher.publish(Array(6...25))
        for subscriber in subscribers {
            try subscriber.receive(until: 25)
            #expect(subscriber.marks == (1...25).map { $0 })
            #expect(subscriber.bytes == 25 * 300)
        }
    }

    @Test("Echoes where it can", arguments: Peer.all(bench: bench).filter { $0.dialect.roles.contains(.echo) })
    func echo(peer: Peer) throws {
        guard (try? peer.version()) != nil else { return }
        let running = try peer.start()
        defer { running.stop() }
        let client = try Client(running, .echo, session: 0)
        for mark in UInt64(1)...10 {
            try client.send(try #require(peer.dialect.echoMessage(mark: mark, bytes: 300)))
            try client.receive(until: Int(mark))
        }
        #expect(client.marks == (1...10).map { $0 })
    }

    @Test("Is gone with all it started when it is stopped", arguments: Peer.all(bench: bench))
    func stops(peer: Peer) throws {
        guard (try? peer.version()) != nil else { return }
        let running = try peer.start(processor: 0)
        let pids = running.pids
        #expect(pids.contains(running.pid))
        running.stop()
        for pid in pids { #expect(!Process.exists(pid)) }
    }

    @Test("Leaves nothing that its leader left behind")
    func orphans() throws {
        let real = try #require(Peer(.bareC, bench: Self.bench))
        guard (try? real.version()) != nil else { return }
        let folder = "/tmp/hub-bench-orphans-\(Process.id)"
        try Files.makeDirectory(folder)
        defer { _ = try? Process.run(["rm", "-rf", folder]) }
        try Files.makeDirectory("\(folder)/peers")
        try Files.makeDirectory("\(folder)/peers/bare-c")
        // The child outlives the process that started it, which does not wait for it.
        let script = "#!/bin/sh\nsleep 300 & echo $! >\(folder)/orphan\nexec \(Self.bench)/peers/bare-c/start \"$@\"\n"
        try Files.write(Array(script.utf8), to: "\(folder)/peers/bare-c/start", mode: 0o700)
        let running = try #require(Peer(.bareC, bench: folder)).start()
        let text = try Files.text("\(folder)/orphan")
        let orphan = try #require(text.split(separator: "\n").first.flatMap { Int32($0) })
        #expect(Process.exists(orphan))
        running.stop()
        #expect(!Process.exists(orphan))
    }

    @Test("Agrees to compress when it is started so", arguments: Peer.all(bench: bench))
    func compression(peer: Peer) throws {
        guard (try? peer.version()) != nil else { return }
        guard peer.dialect.canCompress else {
            #expect(throws: PeerFailure.self) { try peer.start(compressed: true) }
            return
        }
        let running = try peer.start(compressed: true)
        defer { running.stop() }
        let client = try Client(running, .subscriber, session: 0, compressed: true)
        #expect(client.head.lowercased().contains("sec-websocket-extensions: permessage-deflate"))
        let plain = try Client(running, .subscriber, session: 1)
        #expect(!plain.head.lowercased().contains("sec-websocket-extensions"))
    }

    @Test("Says why it did not start")
    func failure() throws {
        let peer = try #require(Peer(.bareC, bench: "/nowhere"))
        #expect(throws: PeerFailure.self) { try peer.version() }
        #expect(throws: PeerFailure.self) { try peer.start() }
        #expect(Peer(.hub, bench: Self.bench) == nil)
    }
}

/// A simple blocking client.
final class Client {
    private let socket: Int32
    private let dialect: Dialect
    private var listener: Listener
    private var unread: [UInt8] = []
    private(set) var head = ""
    private(set) var marks: [UInt64?] = []
    /// The number of bytes in messages that held deliveries.
    private(set) var bytes = 0

    init(_ peer: RunningPeer, _ role: Role, session: Int, compressed: Bool = false) throws {
        dialect = peer.dialect
        listener = Listener(dialect, role)
        socket = try Socket.connect(host: peer.host, port: peer.port, timeout: .seconds(5))
        let handshake = dialect.handshake(role, compressed: compressed)
        try write(handshake.request(host: "\(peer.host):\(peer.port)", key: "dGhlIHNhbXBsZSBub25jZQ=="))
        while !head.contains("\r\n\r\n") {
            try fill()
            let end = unread.indices.dropLast(3).first { unread[$0..<$0 + 4].elementsEqual("\r\n\r\n".utf8) }
            guard let end else { continue }
            head = String(decoding: unread[..<(end + 4)], as: UTF8.self)
            unread.removeFirst(end + 4)
        }
        guard head.hasPrefix("HTTP/1.1 101"), head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") else { throw Refused(words: head) }
        // This client does not decompress; on a compressed connection it checks only that compression was agreed.
        guard !compressed else { return }
        for message in dialect.greeting(role, session: session) { try send(message) }
        while !listener.isReady { try step() }
    }

    deinit { Socket.close(socket) }

    struct Refused: Error { let words: String }

    func publish(_ marks: [UInt64]) throws {
        var frames: [UInt8] = []
        for mark in marks {
            guard case .message(let message)? = dialect.publication(mark: mark, bytes: 300) else { throw Refused(words: "no publication") }
            frames += Self.frame(message)
        }
        try write(frames)
    }

    func send(_ message: Message) throws { try write(Self.frame(message)) }

    func receive(until count: Int) throws { while marks.count < count { try step() } }

    /// Waits for one message.
    private func step() throws {
        while true {
            if let (payload, end) = message() {
                unread.removeFirst(end)
                let before = marks.count
                let heard = listener.receive(payload.span) { marks.append($0) }
                if marks.count > before { bytes += payload.count }
                if let words = heard.refusal { throw Refused(words: words) }
                if let answer = heard.answer { try send(answer) }
                return
            }
            try fill()
        }
    }

    private func message() -> (payload: [UInt8], end: Int)? {
        guard unread.count >= 2 else { return nil }
        let isLong = unread[1] == 126
        guard !isLong || unread.count >= 4 else { return nil }
        let length = isLong ? Int(unread[2]) << 8 | Int(unread[3]) : Int(unread[1])
        let start = isLong ? 4 : 2
        return unread.count >= start + length ? (Array(unread[start..<start + length]), start + length) : nil
    }

    private func fill() throws {
        guard try Socket.wait(socket, readable: true, timeout: .seconds(5)) else { throw Refused(words: "nothing came for five seconds") }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var span = buffer.mutableSpan
        guard case .bytes(let count) = Socket.receive(socket, into: &span) else { throw Refused(words: "the server hung up") }
        unread += buffer.prefix(count)
    }

    private func write(_ bytes: [UInt8]) throws {
        guard Socket.send(socket, bytes.span) == .bytes(bytes.count) else { throw Refused(words: "the server does not read") }
    }

    /// Masked with a key of zeros, which RFC 6455 allows.
    private static func frame(_ message: Message) -> [UInt8] {
        let count = message.bytes.count
        let length = count < 126 ? [0x80 | UInt8(count)] : [0xFE, UInt8(count >> 8), UInt8(count & 255)]
        return [message.isText ? 0x81 : 0x82] + length + [0, 0, 0, 0] + message.bytes
    }
}
