/// What one request may cost before anything is known about its sender.
public struct HTTPLimits: Equatable, Sendable {
    /// Request line, CRLF not counted. 8 KiB: RFC 9112 §3 recommends at least 8 000. Exceeded: 414.
    public var requestLineBytes = 8 * 1024
    /// The whole head with its final empty line. 16 KiB: a large token and a crowd of cookies. Exceeded: 431.
    public var headBytes = 16 * 1024
    /// Header lines. 100: browsers behind proxies send about 30. Exceeded: 431.
    public var headerCount = 100
    /// Body bytes by Content-Length. 64 KiB: commands are small. Exceeded: 413, before any of it is read.
    public var bodyBytes = 64 * 1024

    public init() {}
}
