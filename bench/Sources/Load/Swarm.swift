import Bytes
import Dialect
import HTTP
import Linux
import WSProtocol
import Zlib

/// A complaint that ends a measurement: the server did not do what it should, or the generator could not.
public struct LoadFailure: Error, CustomStringConvertible, Sendable {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// What the sockets of a swarm do; called on the swarm's thread.
protocol Player: AnyObject {
    /// The handshake was accepted: what to send first.
    func greeting(_ seat: Int) -> [UInt8]
    /// A whole message, inflated. The span is the loop's own buffer.
    func received(_ seat: Int, _ message: Span<UInt8>)
    /// The connection ended and was not closed by this side.
    func lost(_ seat: Int, _ reason: String)
}

/// Where and how the sockets of a swarm connect.
struct Door: Codable, Sendable {
    var host: String
    var port: UInt16
    var path: String
    var subprotocols: [String] = []
    var isCompressed = false
    /// 127.0.0.`firstSource` and so many more; each has about 28 000 ports for one server.
    var firstSource = 1
    var sources = 1
    /// Small on purpose while a reader has stopped reading.
    var receiveBufferBytes: Int32 = 4_096
    /// The first so many seats may stop, and have buffers of a fixed size while they read.
    var smallBufferSeats = 0
}

/// Thousands of client WebSockets on one epoll loop. Owns their descriptors.
///
/// One receive buffer for all; frames are found in it and lent to the player, and only what is incomplete is kept by its seat.
final class Swarm {
    enum Stage: UInt8 { case absent, shaking, open, closed }

    struct Seat {
        var fd: Int32 = -1
        var stage = Stage.absent
        /// Readable events are not asked for: a reader that has stopped reading.
        var isPaused = false
        var isWriting = false
        /// The beginning of a frame, or of the response head.
        var rest: [UInt8] = []
        var unsent: [UInt8] = []
        /// When it was to begin connecting.
        var intended: Int64 = 0
        /// A message in several frames, and whether it is compressed.
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
    /// Handshakes whose server agreed to compress.
    private(set) var compressedSeats = 0

    static let watchedTokens: UInt64 = 1 << 40
    private static let bufferBytes = 256 << 10
    /// Less than two of loopback's segments of 64 KiB, and a window that was closed stays so until the other side probes it.
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
        // One key for all handshakes: to the server it is as good as any, and the generator saves making them.
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

    /// Calls `ready` whenever the descriptor is readable. Its owner closes it.
    func watch(_ fd: Int32, _ ready: @escaping () -> Void) throws {
        try poller.add(fd, .readable, token: Self.watchedTokens + UInt64(watched.count))
        watched.append((fd, ready))
    }

    func unwatch(_ fd: Int32) { poller.remove(fd) }

    /// Waits for what comes, at most until `moment`, and deals with it.
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

    func connect(_ index: Int, intended: Int64) throws {
        let source = "127.0.0.\(door.firstSource + index % door.sources)"
        let fd = try Socket.beginConnect(host: door.host, port: door.port, from: door.host.hasPrefix("127.") ? source : nil)
        if index < door.smallBufferSeats { Socket.setReceiveBuffer(fd, bytes: Self.readingBufferBytes) }
        seats[index] = Seat(fd: fd, stage: .shaking, intended: intended)
        // On loopback the connection mostly stands by now, and the request goes out without waiting to be told.
        let request = template.requestHead
        if case .bytes(let sent) = Socket.send(fd, request.span) {
            seats[index].unsent = Array(request[sent...])
        } else {
            seats[index].unsent = request
        }
        seats[index].isWriting = !seats[index].unsent.isEmpty
        try poller.add(fd, seats[index].isWriting ? [.readable, .writable] : .readable, token: UInt64(index))
    }

    /// Closes from this side; `reset` without the farewell of TCP, as a cut line does.
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
        // Who reads does so in earnest: with a window of a few bytes it would be TCP that is measured.
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

    /// A frame as a client writes it. Masking keys differ, but are cheap: no attacker chooses the payload here.
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
        // Receiving tells the reason, in its turn.
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
            // Nothing is asked for, so this is the end of the connection; left there it would be told again and again.
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
        // Moved out for the time, so that lending it does not conflict with what a player does to the swarm meanwhile.
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

    /// Where the frames begin; nil when the head is not whole, or was not what it should be.
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
        var place = start
        while place < end {
            switch ServerFrame.scan(window, at: place) {
            case .incomplete:
                var rest: [UInt8] = []
                rest.append(copying: window.extracting(place..<end))
                seats[index].rest = rest
                return
            case .malformed:
                lose(index, "sent bytes that are no frame")
                return
            case .frame(let frame):
                deal(index, frame, window.extracting(frame.payload))
                // The player may have closed it.
                guard seats[index].stage == .open else { return }
                place = frame.payload.upperBound
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
        // A broadcast brings the same bytes to everyone: they are inflated once.
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
        for place in payload.indices where payload[place] != lastCompressed[place] { return false }
        return true
    }
}
