/// Where a Redis server is: `redis://[USER:PASSWORD@]HOST[:PORT]`. User and password may be percent-encoded; an IPv6 address stands in brackets.
public struct RedisAddress: Equatable, Sendable {
    public var host: String
    public var port: Int32
    public var user: String?
    public var password: String?

    public struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
        public let description: String
    }

    public init(_ text: String) throws(Failure) {
        if text.hasPrefix("rediss://") {
            throw Failure(description: "TLS (rediss://) is not supported: let a tunnel such as stunnel encrypt the connection")
        }
        guard text.hasPrefix("redis://") else { throw Failure(description: "expected redis://[USER:PASSWORD@]HOST[:PORT]") }
        var rest = text.dropFirst("redis://".count)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.contains("/") else {
            throw Failure(description: "names a database, which the channels of Redis do not belong to: leave it out")
        }
        (user, password) = (nil, nil)
        if let at = rest.lastIndex(of: "@") {
            let account = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            rest = rest[rest.index(after: at)...]
            guard let name = Self.decoded(account[0]), let word = account.count == 2 ? Self.decoded(account[1]) : .some("") else {
                throw Failure(description: "has a broken percent-encoding before the @")
            }
            if account.count == 2 {
                user = name.isEmpty ? nil : name
                password = word
            } else {
                password = name
            }
        }
        let parts: (host: Substring, port: Substring?)
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
            let tail = rest[rest.index(after: end)...]
            guard tail.isEmpty || tail.hasPrefix(":") else { throw Failure(description: "has something else than a port behind the ]") }
            parts = (rest[rest.index(after: rest.startIndex)..<end], tail.isEmpty ? nil : tail.dropFirst())
        } else if let colon = rest.firstIndex(of: ":") {
            parts = (rest[..<colon], rest[rest.index(after: colon)...])
        } else {
            parts = (rest, nil)
        }
        guard !parts.host.isEmpty else { throw Failure(description: "names no host") }
        guard let port = parts.port.map({ Int32($0) }) ?? 6379, (1...65_535).contains(port) else {
            throw Failure(description: "has a port that is not a number from 1 to 65535")
        }
        host = String(parts.host)
        self.port = port
    }

    /// Without the account.
    public var shown: String { host.contains(":") ? "redis://[\(host)]:\(port)" : "redis://\(host):\(port)" }

    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
