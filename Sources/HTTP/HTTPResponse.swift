import Bytes

/// A response with its whole body.
public struct HTTPResponse: Equatable, Sendable {
    /// `100 Continue`, for a request that `expectsContinue` (RFC 9110 §15.2.1).
    public static let goOn: [UInt8] = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    public var status: Int
    /// Content-Length, Connection and Date are written by `serialize`; they do not belong here.
    public var headers: HTTPHeaders
    public var body: [UInt8]

    public init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A line of plain text.
    public init(status: Int, text: String) {
        self.init(
            status: status, headers: HTTPHeaders([("content-type", "text/plain; charset=utf-8")]),
            body: Array("\(text)\n".utf8))
    }

    /// What happens to the connection after a response.
    public enum Persistence: Equatable, Sendable {
        case close
        /// HTTP/1.1 keeps a connection by default.
        case keep
        /// HTTP/1.0 needs `connection: keep-alive` (RFC 9112 §9.3).
        case keepAnnounced

        public init(_ request: HTTPRequest) {
            self = !request.keepAlive ? .close : request.minorVersion > 0 ? .keep : .keepAnnounced
        }
    }

    /// Appends the response. `headOnly` answers HEAD: the length of the body, but not the body (RFC 9110 §9.3.2).
    public func serialize(into output: inout [UInt8], _ persistence: Persistence, headOnly: Bool = false, date: HTTPDate? = nil) {
        writeHead(into: &output, date: date)
        // RFC 9110 §8.6: no Content-Length in 1xx and 204.
        if status >= 200 && status != 204 { Self.write("content-length", String(body.count), into: &output) }
        switch persistence {
        case .close: Self.write("connection", "close", into: &output)
        case .keep: break
        case .keepAnnounced: Self.write("connection", "keep-alive", into: &output)
        }
        output.append(contentsOf: "\r\n".utf8)
        if !headOnly { output.append(contentsOf: body) }
    }

    /// Appends the head of a response whose body follows piece by piece, in chunks or until the connection is closed (RFC 9112 §6.3).
    public func serializeStreamHead(into output: inout [UInt8], isChunked: Bool, date: HTTPDate? = nil) {
        writeHead(into: &output, date: date)
        if isChunked { Self.write("transfer-encoding", "chunked", into: &output) } else { Self.write("connection", "close", into: &output) }
        output.append(contentsOf: "\r\n".utf8)
    }

    /// Appends a piece of a body in chunked transfer coding (RFC 9112 §7.1). An empty piece would end the body, and writes nothing.
    public static func writeChunk(_ bytes: Span<UInt8>, into output: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        output.append(contentsOf: String(bytes.count, radix: 16).utf8)
        output.append(contentsOf: "\r\n".utf8)
        output.append(copying: bytes)
        output.append(contentsOf: "\r\n".utf8)
    }

    /// Ends a body in chunks.
    public static let lastChunk: [UInt8] = Array("0\r\n\r\n".utf8)

    private func writeHead(into output: inout [UInt8], date: HTTPDate?) {
        output.append(contentsOf: "HTTP/1.1 \(status) \(Self.reason(status))\r\n".utf8)
        if let date { Self.write("date", date.text, into: &output) }
        for field in headers.fields { Self.write(field.name, field.value, into: &output) }
    }

    /// A value can carry what a request brought; a line break in it would be a second header (response splitting).
    private static func write(_ name: String, _ value: String, into output: inout [UInt8]) {
        output.append(contentsOf: name.utf8)
        output.append(contentsOf: ": ".utf8)
        for byte in value.utf8 { output.append(byte < 0x20 && byte != 0x09 || byte == 0x7F ? 0x20 : byte) }
        output.append(contentsOf: "\r\n".utf8)
    }

    /// The reason phrase of the statuses this server sends (RFC 9110 §15).
    static func reason(_ status: Int) -> String {
        switch status {
        case 101: "Switching Protocols"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 304: "Not Modified"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Content"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        default: "Status \(status)"
        }
    }
}
