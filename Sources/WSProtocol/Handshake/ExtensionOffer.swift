import HTTP

/// One element of Sec-WebSocket-Extensions (RFC 6455 §9.1).
struct ExtensionOffer: Equatable, Sendable {
    struct Parameter: Equatable, Sendable {
        let name: String
        let value: String?
    }

    let name: String
    let parameters: [Parameter]

    /// All elements of all lines, in order of preference; nil when any of them breaks the grammar.
    static func parse(_ lines: [String]) -> [ExtensionOffer]? {
        var offers: [ExtensionOffer] = []
        for line in lines {
            var reader = ExtensionReader(line)
            guard let parsed = reader.offers() else { return nil }
            offers += parsed
        }
        return offers
    }
}

/// `extension-list = 1#( token *( ";" token [ "=" ( token / quoted-string ) ] ) )`
private struct ExtensionReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ line: String) { bytes = Array(line.utf8) }

    mutating func offers() -> [ExtensionOffer]? {
        var offers: [ExtensionOffer] = []
        while true {
            skipSpace()
            // RFC 9110 §5.6.1.2: a recipient skips a reasonable number of empty list elements.
            if take(",") { continue }
            if position == bytes.count { return offers.isEmpty ? nil : offers }
            guard let name = token(), let parameters = parameters() else { return nil }
            offers.append(ExtensionOffer(name: name, parameters: parameters))
            guard position == bytes.count || take(",") else { return nil }
        }
    }

    private mutating func parameters() -> [ExtensionOffer.Parameter]? {
        var parameters: [ExtensionOffer.Parameter] = []
        while true {
            skipSpace()
            guard take(";") else { return parameters }
            skipSpace()
            guard let name = token() else { return nil }
            skipSpace()
            var value: String?
            if take("=") {
                skipSpace()
                // RFC 6455 §9.1: a quoted value must be a token once unquoted.
                guard let read = take("\"") ? quoted() : token() else { return nil }
                value = read
            }
            parameters.append(ExtensionOffer.Parameter(name: name, value: value))
        }
    }

    private mutating func token() -> String? {
        let start = position
        while position < bytes.count, HTTPHeaders.isTokenByte(bytes[position]) { position += 1 }
        return position > start ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
    }

    private mutating func quoted() -> String? {
        var value: [UInt8] = []
        while position < bytes.count {
            var byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return value.isEmpty ? nil : String(decoding: value, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                guard position < bytes.count else { return nil }
                byte = bytes[position]
                position += 1
            }
            guard HTTPHeaders.isTokenByte(byte) else { return nil }
            value.append(byte)
        }
        return nil
    }

    private mutating func skipSpace() {
        while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
    }

    private mutating func take(_ symbol: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: symbol) else { return false }
        position += 1
        return true
    }
}
