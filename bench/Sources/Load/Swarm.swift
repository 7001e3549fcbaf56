import Bytes
import Dialect
import HTTP
import Linux
import WSProtocol
import Zlib

/// An error that ends a measurement: the server misbehaved, or the generator failed.
public struct LoadFailure: Error, CustomStringConvertible, Sendable {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Handles the events of a swarm's sockets. Called on the swarm's thread.
protocol Player: AnyObject {
    /// The handshake was accepted. Returns the first bytes to send.
    func greeting(_ seat: Int) -> [UInt8]
    /// A complete message has arrived; it is decompressed. The span is the loop's own buffer.
    func received(_ seat: Int, _ message: Span<UInt8>)
    /// The connection ended, but this side did not close it.
    func lost(_ seat: Int, _ reason: String)
}

/// Where and how the sockets of a swarm connect.
struct Door: Codable, Sendable {
    var host: String
    var port: UInt16
    var path: String
    var subprotocols: [String] = []
    var isCompressed = false
    /// The source addresses: 127.0.0.`firstSource` and the following. Each has about 28 000 ports for one server.
    var firstSource = 1
    var sources = 1
    /// The size of the receive buffer of a client that has stopped reading; small on purpose.
    var receiveBufferBytes: Int32 = 4_096
    /// The first seats, this many, may stop reading, and have receive buffers of a fixed size while they read.
    var smallBufferSeats = 0
}

/// Thousands of client WebSockets on one epoll loop. Owns their descriptors.
///
/// All sockets share one receive buffer. The player borrows complete frames from it; an incomplete one is copied to its seat.
final class Swarm {
    enum Stage: UInt8 { case absent, shaking, open, closed }

    struct Seat {
        var fd: Int32 = -1
        var stage = Stage.absent
        /// The client has stopped reading: epoll does not report that the socket is readable.
        var isPaused = false
        var isWriting = false
        /// The beginning of a frame, or of the response head.
        var rest: [UInt8] = []
        var unsent: [UInt8] = []
        /// When connecting was scheduled to begin.
        var intended: Int64 = 0
        /// The frames so far of a fragmented message, and whether it is compressed.
        var fragments: [UInt8] = []
        var isFragmentCompressed = false
    }

    private(set) var seats: [Seat]
    var player: (any Player)?
    private let door: Door
    private let template: ClientHandshake
    private let poller: Poller
    private var buffer: [UInt8]
    private let inflater: Inflater?
    private var inflated: [UInt8] = []
    private var lastCompressed: [UInt8] = []
    private var watched: [(fd: Int32, ready: () -> Void)] = []
    private var maskingKey: UInt32
    private(set) var openCount = 0
    private(set) var receivedBytes: Int64 = 0
    /// The number of handshakes in which the server agreed to compression.
    private(set) var compressedSeats = 0

    static let watchedTokens: UInt64 = 1 << 40
    private static let bufferBytes = 256 << 10
    /// Large enough for two segments of 64 KiB on loopback. With a smaller buffer, a closed window stays closed until the peer probes it.
    private static let readingBufferBytes: Int32 = 256 << 10

    init(_ door: Door, seats count: Int) throws {
        self.door = door
        seats = Array(repeating: Seat(), count: count)
        poller = try Poller()
        buffer = Array(repeating: 0, count: Self.bufferBytes)
        let random = try Random.bytes(20)
        let words = (0..<5).map { word in (0..<4).reduce(UInt64(0)) { $0 << 8 | UInt64(random[word * 4 + $1]) } }
        var policy: DeflatePolicy?
        if door.isCompressed { policy = DeflatePolicy() }
        // All handshakes use the same key, which servers accept, so the generator need not make new ones.
        template = ClientHandshake(
            host: "\(door.host):\(door.port)", target: door.path, nonce: (words[0] << 32 | words[1], words[2] << 32 | words[3]),
            subprotocols: door.subprotocols, deflate: policy)
        maskingKey = UInt32(truncatingIfNeeded: words[4]) | 1
        inflater = door.isCompressed ? Inflater() : nil
    }

    deinit {
        for seat in seats where seat.fd >= 0 { Socket.close(seat.fd) }
    }

    // MARK: The loop

    /// Calls `ready` whenever the descriptor is readable. The caller keeps ownership of the descriptor.
    func watch(_ fd: Int32, _ ready: @escaping () -> Void) throws {
        try poller.add(fd, .readable, token: Self.watchedTokens + UInt64(watched.count))
        watched.append((fd, ready))
    }

    func unwatch(_ fd: Int32) { poller.remove(fd) }

    /// Waits for events, at most until `moment`, and handles them.
    func turn(until moment: Int64) throws {
        let wait = max(moment - MonotonicInstant.now.nanoseconds, 0)
        let count = try poller.wait(for: .nanoseconds(wait))
        for index in 0..<count {
            let (token, readiness) = poller.event(index)
            if token >= Self.watchedTokens {
                watched[Int(token - Self.watchedTokens)].ready()
                continue
            }
            let seat = Int(token)
            if readiness.contains(.writable) { flush(seat) }
            if readiness.contains(.readable) { receive(seat) }
        }
    }

    // MARK: Opening and closing

    func connect(_ index: Int, intended: Int64, port: UInt16? = nil) throws {
        let source = "127.0.0.\(door.firstSource + index % door.sources)"
        let fd = try Socket.beginConnect(host: door.host, port: port ?? door.port, from: door.host.hasPrefix("127.") ? source : nil)
        if index < door.smallBufferSeats { Socket.setReceiveBuffer(fd, bytes: Self.readingBufferBytes) }
        seats[index] = Seat(fd: fd, stage: .shaking, intended: intended)
        // On loopback the connection is usually established by now, so the request is sent without waiting for the event.
        let request = template.requestHead
        if case .bytes(let sent) = Socket.send(fd, request.span) {
            seats[index].unsent = Array(request[sent...])
        } else {
            seats[index].unsent = request
        }
        seats[index].isWriting = !seats[index].unsent.isEmpty
        try poller.add(fd, seats[index].isWriting ? [.readable, .writable] : .readable, token: UInt64(index))
    }

    /// Closes the connection from this side. With `reset` it sends RST instead of FIN, as a broken connection would.
    func close(_ index: Int, reset: Bool = false) {
        guard seats[index].fd >= 0 else { return }
        if seats[index].stage == .open { openCount -= 1 }
        if reset { Socket.setResetOnClose(seats[index].fd) }
        Socket.close(seats[index].fd)
        seats[index].fd = -1
        seats[index].stage = .closed
        seats[index].rest = []
        seats[index].unsent = []
        seats[index].fragments = []
    }

    func pauseReading(_ index: Int, _ isPaused: Bool) {
        guard seats[index].fd >= 0 else { return }
        seats[index].isPaused = isPaused
        // A client that reads gets a normal buffer: with a window of a few bytes, the run would measure TCP.
        if index < door.smallBufferSeats {
            Socket.setReceiveBuffer(seats[index].fd, bytes: isPaused ? door.receiveBufferBytes : Self.readingBufferBytes)
        }
        arm(index)
    }

    private func lose(_ index: Int, _ reason: String) {
        close(index)
        player?.lost(index, reason)
    }

    private func arm(_ index: Int) {
        var interest: Poller.Readiness = []
        if !seats[index].isPaused { interest.insert(.readable) }
        if seats[index].isWriting { interest.insert(.writable) }
        poller.change(seats[index].fd, interest, token: UInt64(index))
    }

    // MARK: Sending

    /// Builds a client's frame. Masking keys differ but need not be unpredictable, because no attacker chooses the payload here.
    func frame(text: [UInt8]) -> [UInt8] { frame(text, .text) }

    func frame(_ message: Message) -> [UInt8] { frame(message.bytes, message.isText ? .text : .binary) }

    func frame(_ payload: [UInt8], _ opcode: Opcode) -> [UInt8] {
        maskingKey = maskingKey &* 1_664_525 &+ 1_013_904_223
        var bytes: [UInt8] = []
        bytes.reserveCapacity(payload.count + 14)
        FrameEncoder.append(opcode, payload.span, maskingKey: maskingKey, into: &bytes)
        return bytes
    }

    func send(_ index: Int, _ bytes: [UInt8]) {
        guard seats[index].fd >= 0 else { return }
        guard seats[index].unsent.isEmpty else {
            seats[index].unsent += bytes
            return
        }
        switch Socket.send(seats[index].fd, bytes.span) {
        case .bytes(let sent) where sent == bytes.count: return
        case .bytes(let sent): seats[index].unsent = Array(bytes[sent...])
        case .wouldBlock: seats[index].unsent = bytes
        // The next receive reports the reason.
        case .ended, .failed: return
        }
        seats[index].isWriting = true
        arm(index)
    }

    private func flush(_ index: Int) {
        guard seats[index].fd >= 0, !seats[index].unsent.isEmpty else { return }
        let unsent = seats[index].unsent
        switch Socket.send(seats[index].fd, unsent.span) {
        case .bytes(let sent): seats[index].unsent = Array(unsent[sent...])
        case .wouldBlock, .ended: return
        case .failed(let error):
            lose(index, "\(SystemError(call: seats[index].stage == .shaking ? "connect" : "send", errno: error))")
            return
        }
        if seats[index].unsent.isEmpty {
            seats[index].isWriting = false
            arm(index)
        }
    }

    // MARK: Receiving

    private func receive(_ index: Int) {
        guard seats[index].fd >= 0 else { return }
        if seats[index].isPaused {
            // No events were requested, so the connection has ended; epoll would report this repeatedly if the socket stayed registered.
            lose(index, "ended while it did not read")
            return
        }
        let kept = seats[index].rest.count
        if kept > 0 {
            if buffer.count < kept + Self.bufferBytes / 2 { buffer += Array(repeating: 0, count: kept + Self.bufferBytes) }
            buffer.replaceSubrange(0..<kept, with: seats[index].rest)
            seats[index].rest = []
        }
        let size = buffer.count
        var window = buffer.mutableSpan
        var free = window._mutatingExtracting(kept..<size)
        let got: Int
        switch Socket.receive(seats[index].fd, into: &free) {
        case .bytes(let count): got = count
        case .wouldBlock: got = 0
        case .ended:
            lose(index, seats[index].stage == .shaking ? "closed before the handshake was over" : "closed without a close frame")
            return
        case .failed(let error):
            lose(index, "\(SystemError(call: seats[index].stage == .shaking ? "connect" : "receive", errno: error))")
            return
        }
        receivedBytes += Int64(got)
        // The buffer is moved out meanwhile, so that lending it does not conflict with the player's calls of the swarm.
        let bytes = buffer
        let end = kept + got
        var consumed = 0
        if seats[index].stage == .shaking {
            guard let headBytes = shake(index, bytes.span.extracting(0..<end)) else {
                if seats[index].stage == .shaking { seats[index].rest = Array(bytes[0..<end]) }
                return
            }
            consumed = headBytes
        }
        frames(index, bytes.span, from: consumed, to: end)
    }

    /// The offset of the first frame; nil when the response head is incomplete or not valid.
    private func shake(_ index: Int, _ head: Span<UInt8>) -> Int? {
        var handshake = template
        switch handshake.read(head) {
        case .incomplete: return nil
        case .failed(let failure):
            let reason = if case .refused(let head) = failure { "HTTP \(head.status)" } else { "\(failure)" }
            lose(index, "the handshake was refused: \(reason)")
            return nil
        case .accepted(_, let deflate, let headBytes):
            if deflate != nil { compressedSeats += 1 }
            seats[index].stage = .open
            openCount += 1
            let greeting = player?.greeting(index) ?? []
            if !greeting.isEmpty { send(index, greeting) }
            return headBytes
        }
    }

    private func frames(_ index: Int, _ bytes: Span<UInt8>, from start: Int, to end: Int) {
        let window = bytes.extracting(0..<end)
        var position = start
        while position < end {
            switch ServerFrame.scan(window, at: position) {
            case .incomplete:
                var rest: [UInt8] = []
                rest.append(copying: window.extracting(position..<end))
                seats[index].rest = rest
                return
            case .malformed:
                lose(index, "sent bytes that are no frame")
                return
            case .frame(let frame):
                deal(index, frame, window.extracting(frame.payload))
                // The player may have closed the connection.
                guard seats[index].stage == .open else { return }
                position = frame.payload.upperBound
            }
        }
    }

    private func deal(_ index: Int, _ frame: ServerFrame, _ payload: Span<UInt8>) {
        switch frame.opcode {
        case 1, 2:
            if frame.isFinal {
                if frame.isCompressed { inflate(index, payload) } else { player?.received(index, payload) }
                return
            }
            seats[index].fragments = []
            seats[index].isFragmentCompressed = frame.isCompressed
            seats[index].fragments.append(copying: payload)
        case 0:
            seats[index].fragments.append(copying: payload)
            guard frame.isFinal else { return }
            let whole = seats[index].fragments
            seats[index].fragments = []
            if seats[index].isFragmentCompressed { inflate(index, whole.span) } else { player?.received(index, whole.span) }
        case 8:
            let code = payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : 1005
            var reason: [UInt8] = []
            if payload.count > 2 { reason.append(copying: payload.extracting(2..<payload.count)) }
            lose(index, "closed by the server with \(code) \(String(decoding: reason, as: UTF8.self))")
        case 9:
            var echoed: [UInt8] = []
            echoed.append(copying: payload)
            send(index, self.frame(echoed, .pong))
        case 10: break
        default: lose(index, "sent a frame with the unknown opcode \(frame.opcode)")
        }
    }

    private func inflate(_ index: Int, _ payload: Span<UInt8>) {
        guard let inflater else {
            lose(index, "sent a compressed message, which was not agreed")
            return
        }
        // In a broadcast all clients get the same bytes, so these are decompressed only once.
        if !isLast(payload) {
            inflated.removeAll(keepingCapacity: true)
            inflater.reset()
            do throws(InflateFailure) { try inflater.inflate(payload, into: &inflated, limit: ServerFrame.mostPayloadBytes) } catch {
                lose(index, "sent a message that cannot be inflated: \(error)")
                return
            }
            lastCompressed.removeAll(keepingCapacity: true)
            lastCompressed.append(copying: payload)
        }
        let message = inflated
        player?.received(index, message.span)
    }

    private func isLast(_ payload: Span<UInt8>) -> Bool {
        guard payload.count == lastCompressed.count else { return false }
        for position in payload.indices where payload[position] != lastCompressed[position] { return false }
        return true
    }
}
