internal import Bytes
internal import JSON

/// The value that Debezium sends for an unchanged TOAST value (`unavailable.value.placeholder`), in all its forms.
struct Placeholder: Sendable {
    private let bytes: [UInt8]
    private let text: String
    private let base64: String
    private let hex: String

    init(_ setting: String) {
        bytes = setting.hasPrefix("hex:") ? Array(hexadecimal: setting.dropFirst(4)) ?? Array(setting.utf8) : Array(setting.utf8)
        text = String(decoding: bytes, as: UTF8.self)
        base64 = Base64.encode(bytes)
        hex = bytes.map { UInt8($0).hexDigits }.joined()
    }

    func isText(_ text: String) -> Bool { !bytes.isEmpty && text.isSameText(as: self.text) }

    func isBytes(_ bytes: [UInt8]) -> Bool { !bytes.isEmpty && bytes == self.bytes }

    /// For a column whose type is not known: also the forms of a bytea column.
    func isAnyText(_ text: String) -> Bool {
        isText(text) || !bytes.isEmpty && (text.isSameText(as: base64) || text.isSameText(as: hex))
    }

    /// The form of an array column: one element that is the text, or the signed bytes as numbers.
    func isArray(_ elements: [JSONDocument.Value], in document: JSONDocument) -> Bool {
        guard let first = elements.first else { return false }
        if elements.count == 1, let text = document.string(first), isAnyText(text) { return true }
        guard elements.count == bytes.count, first.kind == .number else { return false }
        return zip(elements, bytes).allSatisfy { document.int64($0) == Int64(Int8(bitPattern: $1)) }
    }

    /// The form of an hstore column in the mode `map`: one member whose name and value are the text.
    func isMap(_ members: [(name: String, value: JSONDocument.Value)], in document: JSONDocument) -> Bool {
        guard members.count == 1, let member = members.first, isText(member.name) else { return false }
        return document.string(member.value).map(isText) ?? false
    }
}

extension [UInt8] {
    /// Two digits for each byte; nil for anything else.
    init?(hexadecimal text: some StringProtocol) {
        self.init()
        var high: UInt8?
        for byte in text.utf8 {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            if let first = high {
                append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        if high != nil { return nil }
    }
}
