import Configuration
import Linux
import Messaging

/// `hub tail`: prints every line that a client of the hub receives, and reconnects after a lost connection.
package final class TailRun {
    package struct Options: Equatable, Sendable {
        package var url: String
        package var token: String
        /// The channels to follow; an empty list stands for all channels of the user.
        package var channels: [String] = []
        /// The position after which the output starts; nil prints only new entries.
        package var since: UInt64?
        /// Whether the command ends with the first connection.
        package var isOnce = false
        /// Whether the command acknowledges entries, which moves the user's cursors.
        package var acknowledges = false
        /// The number of entries after which the command ends.
        package var entries: Int?
        /// Readable lines in this language, such as `en`, instead of the hub's JSON.
        package var textLanguage: String?
        package init(url: String, token: String) {
            self.url = url
            self.token = token
        }
    }

    private let options: Options
    private let address: HubAddress
    private var follower: TailFollower
    private var plan = ReconnectPlan()
    private let signals: Signals
    private let poller: Poller

    private static let path = "/v1/socket"
    private static let connectLimit: Duration = .seconds(10)
    /// A connection that lasted this long does not count as a failed attempt.
    private static let stableAfter: Duration = .seconds(5)
    private static let socketToken: UInt64 = 1
    private static let signalToken: UInt64 = 2
    private static let outputToken: UInt64 = 3

    /// The end of one connection.
    private enum Ending {
        /// The user pressed Ctrl-C, the command has printed enough entries, or its output is closed.
        case done
        case refused(String)
        case lost(code: UInt16?, String)
    }

    package init(_ options: Options) throws(CommandFailure) {
        self.options = options
        do throws(HubAddress.Refusal) {
            address = try HubAddress(options.url)
        } catch {
            switch error {
            case .encrypted: throw CommandFailure(.usage, "\(options.url): tail does not support TLS; use the hub's own http:// address")
            case .malformed: throw CommandFailure(.usage, "\(options.url): expected an address such as http://127.0.0.1:8080")
            }
        }
        follower = TailFollower(token: options.token, channels: options.channels, since: options.since, acknowledges: options.acknowledges)
        do throws(SystemError) {
            signals = try Signals()
            poller = try Poller()
            try poller.add(signals.descriptor, .readable, token: Self.signalToken)
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
        // The poller reports the hang-up of a closed pipe. It cannot watch a file, and a file needs no watching.
        _ = try? poller.add(1, [], token: Self.outputToken)
    }

    /// Returns after enough entries or when the user ends the command.
    package func run() throws(CommandFailure) {
        while true {
            let began = MonotonicInstant.now
            let ending = follow()
            switch ending {
            case .done: return
            case .refused(let reason): throw CommandFailure(.refused, reason)
            case .lost(let code, let reason):
                if options.isOnce { throw CommandFailure(.unavailable, "\(options.url): \(reason)") }
                let wasStable = MonotonicInstant.now - began >= Self.stableAfter
                switch plan.next(after: code, bye: follower.bye, wasStable: wasStable, random: { .random(in: 0..<$0) }) {
                case .giveUp(let reason): throw CommandFailure(.refused, reason)
                case .wait(let milliseconds):
                    Console.error("hub tail: \(reason); reconnecting in \(Duration.milliseconds(milliseconds).quantity)")
                    if isEnded(within: .milliseconds(milliseconds)) { return }
                }
            }
        }
    }

    // MARK: One connection

    private func follow() -> Ending {
        let socket: Int32
        do throws(SystemError) {
            socket = try open()
        } catch {
            return .lost(code: nil, "\(error)")
        }
        defer { Socket.close(socket) }
        do throws(SystemError) {
            try poller.add(socket, .readable, token: Self.socketToken)
            defer { poller.remove(socket) }
            return try exchange(on: socket)
        } catch {
            return .lost(code: nil, "\(error)")
        }
    }

    private func open() throws(SystemError) -> Int32 {
        var failure = SystemError(call: "look up \(address.host)", errno: SystemError.notFound)
        for candidate in try Names.resolve(address.host) {
            do throws(SystemError) {
                return try Socket.connect(host: candidate, port: address.port, timeout: Self.connectLimit)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private func exchange(on socket: Int32) throws(SystemError) -> Ending {
        var connection = TailConnection(
            authority: address.authority, target: address.prefix + Self.path,
            nonce: (.random(in: .min ... .max), .random(in: .min ... .max)),
            maskingKey: { .random(in: .min ... .max) })
        try send(connection.requestHead, on: socket)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var refusal: String?
        var setback: String?
        func leave() throws(SystemError) -> Ending {
            var closing: [UInt8] = []
            connection.leave(into: &closing)
            try send(closing, on: socket)
            return .done
        }
        while true {
            let ready = try wait(milliseconds: -1)
            if ready.isEnded { return try leave() }
            guard ready.hasData else { continue }
            var span = buffer.mutableSpan
            switch Socket.receive(socket, into: &span) {
            case .wouldBlock: continue
            case .ended: return .lost(code: nil, "the connection ended")
            case .failed(let errno): throw SystemError(call: "receive", errno: errno)
            case .bytes(let count):
                var received = span._mutatingExtracting(first: count)
                var output: [UInt8] = []
                let step = connection.receive(
                    &received, into: &output, opened: { follower.connect() },
                    line: { line in
                        guard !isEnough else { return [] }
                        if let printed = printed(line) { Console.print(printed) }
                        let reaction = follower.read(line)
                        refusal = refusal ?? reaction.refusal
                        setback = setback ?? reaction.setback
                        if reaction.isLive { Console.error("hub tail: live") }
                        return reaction.commands
                    })
                try send(output, on: socket)
                if let refusal { return .refused(refusal) }
                if let setback { return .lost(code: nil, setback) }
                // The acks that were just sent are carried out before the close.
                if isEnough { return try leave() }
                switch step {
                case .read: continue
                case .close(let code): return .lost(code: code, "the hub closed the connection\(code.map { " with \($0)" } ?? "")")
                case .refused(let reason): return .lost(code: nil, reason)
                }
            }
        }
    }

    private func printed(_ line: [UInt8]) -> String? {
        guard let language = options.textLanguage else { return String(decoding: line, as: UTF8.self) }
        return TailText(language: language).line(line)
    }

    private var isEnough: Bool { options.entries.map { follower.entries >= $0 } ?? false }

    private func send(_ bytes: [UInt8], on socket: Int32) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch Socket.send(socket, rest.span) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock: _ = try Socket.wait(socket, readable: false, timeout: Self.connectLimit)
            case .failed(let errno): throw SystemError(call: "send", errno: errno)
            case .ended: return
            }
        }
    }

    // MARK: Waiting

    private func wait(milliseconds: Int32) throws(SystemError) -> (hasData: Bool, isEnded: Bool) {
        var result = (hasData: false, isEnded: false)
        for index in 0..<(try poller.wait(milliseconds: milliseconds)) {
            let (token, readiness) = poller.event(index)
            switch token {
            case Self.socketToken: result.hasData = true
            case Self.signalToken: if let signal = signals.next(), signal != .childEnded { result.isEnded = true }
            default: if readiness.contains(.hangup) { result.isEnded = true }
            }
        }
        return result
    }

    private func isEnded(within limit: Duration) -> Bool {
        let end = MonotonicInstant.now + limit
        while MonotonicInstant.now < end {
            let left = (end - MonotonicInstant.now).wholeNanoseconds / 1_000_000 + 1
            guard let ready = try? wait(milliseconds: Int32(clamping: left)) else { return true }
            if ready.isEnded { return true }
        }
        return false
    }
}
