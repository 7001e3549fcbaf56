import Linux
import Redis

/// The version that a Redis server tells of itself. Older ones than 7 are refused: nobody has tested the hub with them.
enum RedisVersion {
    static let oldest = 7
    static let question = ["INFO", "server"]

    /// Nothing refuses a server that tells no version, such as one whose account must not ask for it.
    /// - Parameter text: the answer to `question`.
    /// - Returns: why the server is refused.
    static func refusal(of text: String) -> String? {
        var facts: [Substring: Substring] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { facts[parts[0]] = parts[1] }
        }
        // Every version of Valkey is younger than Redis 7.
        guard facts["valkey_version"] == nil, let version = facts["redis_version"], let first = version.split(separator: ".").first,
            let major = Int(first), major < oldest
        else { return nil }
        return "the server is Redis \(version); the hub needs Redis \(oldest) or newer, or Valkey"
    }

    /// What the server's answer to `question` says.
    enum Judgement: Equatable {
        case accepted
        case refused(String)
        /// The answer to another command.
        case none
    }

    static func judgement(of reply: RedisReply) -> Judgement {
        switch reply {
        // The answer to AUTH.
        case .text(let bytes) where bytes == Array("OK".utf8): .none
        case .text(let bytes): refusal(of: String(decoding: bytes, as: UTF8.self)).map { .refused($0) } ?? .accepted
        case .error(let reason) where reason.hasPrefix("NOPERM") || reason.hasPrefix("ERR unknown command"): .accepted
        case .error(let reason): .refused(reason)
        case .integer, .list, .null: .none
        }
    }

    /// Asks the server, for the start of a hub. Blocks.
    /// - Returns: why the server is refused; nil also when it does not answer within `limit`.
    static func refusal(at address: RedisAddress, within limit: Duration) -> String? {
        guard let connection = try? RedisConnection(address), let poller = try? Poller() else { return nil }
        connection.append(question)
        let end = MonotonicInstant.now + limit
        do {
            try poller.add(connection.descriptor, [.readable, .writable], token: 0)
            var isWritten = false
            while MonotonicInstant.now < end {
                let count = try poller.wait(for: end - .now)
                guard count > 0 else { continue }
                let readiness = poller.event(0).readiness
                if !isWritten, readiness.contains(.writable) {
                    isWritten = try connection.write()
                    if isWritten { poller.change(connection.descriptor, .readable, token: 0) }
                }
                guard readiness.contains(.readable) else { continue }
                for reply in try connection.read() {
                    switch judgement(of: reply) {
                    case .accepted: return nil
                    // Another refusal than that of the version may be over soon; the bus tells it and tries again.
                    case .refused(let reason): return if case .error = reply { nil } else { reason }
                    case .none: continue
                    }
                }
            }
        } catch {
            return nil
        }
        return nil
    }
}

extension EngineSettings {
    /// For the start of a hub. Blocks.
    /// - Returns: why the hub cannot work with the server; nil also when it does not answer within `limit`.
    package func refusal(within limit: Duration) -> String? {
        guard case .redis(let redis) = self, let reason = RedisVersion.refusal(at: redis.address, within: limit) else { return nil }
        return "redis \(redis.address.shown): \(reason)"
    }
}
