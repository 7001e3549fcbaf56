import HTTP

/// Whatever bytes arrive, in whatever pieces: one reading, and an accepted head has nothing left that could be read in two ways.
enum HeadFuzz {
    static func run(_ input: [UInt8]) {
        var limits = HTTPLimits()
        limits.requestLineBytes = 200
        limits.headBytes = 600
        limits.headerCount = 12

        var parser = HTTPRequestParser(limits: limits)
        let whole = parser.parse(input.span)
        precondition(inPieces(input, HTTPRequestParser(limits: limits), { $0.parse($1) }, isOpen: { $0 == .incomplete }) == whole)
        if case .request(let request, let headBytes) = whole { check(request, headBytes, input, limits) }

        var responses = HTTPResponseParser(limits: limits)
        let response = responses.parse(input.span)
        precondition(inPieces(input, HTTPResponseParser(limits: limits), { $0.parse($1) }, isOpen: { $0 == .incomplete }) == response)
        if case .response(let head, let headBytes) = response {
            precondition(headBytes <= input.count && (100...999).contains(head.status) && (head.contentLength ?? 0) >= 0)
        }
    }

    private static func inPieces<Parser, Result>(
        _ input: [UInt8], _ parser: Parser, _ parse: (inout Parser, Span<UInt8>) -> Result, isOpen: (Result) -> Bool
    ) -> Result {
        var parser = parser
        var result = parse(&parser, input.span.extracting(0..<0))
        var end = 0
        while isOpen(result) && end < input.count {
            end += 1
            result = parse(&parser, input.span.extracting(0..<end))
        }
        return result
    }

    private static func check(_ request: HTTPRequest, _ headBytes: Int, _ input: [UInt8], _ limits: HTTPLimits) {
        precondition(headBytes <= min(input.count, limits.headBytes + 2) && input[..<headBytes].suffix(4) == [13, 10, 13, 10])
        precondition(request.path.hasPrefix("/") || request.path == "*")
        precondition((0...limits.bodyBytes).contains(request.contentLength))
        precondition(!request.host.isEmpty && request.headers.all("host").count == 1 || request.host.isEmpty && request.minorVersion == 0)
        precondition(request.headers.first("transfer-encoding") == nil && request.headers.all("content-length").count <= 1)
        precondition(request.headers.fields.count <= limits.headerCount)
        for field in request.headers.fields {
            precondition(HTTPHeaders.isToken(field.name))
            precondition(field.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 })
        }
        _ = try? HTTPQuery(request.query)

        // What was read, written again, reads the same.
        var text = "\(request.method.rawValue) \(request.target) HTTP/1.\(request.minorVersion)\r\n"
        for field in request.headers.fields { text += "\(field.name): \(field.value)\r\n" }
        var again = HTTPRequestParser()
        let bytes = Array((text + "\r\n").utf8)
        guard case .request(let same, bytes.count) = again.parse(bytes.span) else { preconditionFailure("not a request any more") }
        precondition(same == request)
    }
}
