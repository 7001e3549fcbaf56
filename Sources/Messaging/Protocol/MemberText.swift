internal import JSON

/// Builds the content of a JSON object: members with commas between them, without the braces.
struct MemberText {
    private(set) var bytes: [UInt8] = []

    /// - Parameter bytes: the expected length.
    init(expecting bytes: Int = 0) { self.bytes.reserveCapacity(bytes) }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// `name` is a constant of the hub, so it needs no escape.
    mutating func add(_ name: String, string: String) {
        begin(name)
        bytes.appendJSONString(string)
    }

    mutating func add(_ name: String, integer: UInt64) {
        begin(name)
        bytes.appendInteger(integer)
    }

    /// `json` is the text of a value that a parser has checked.
    mutating func add(_ name: String, json: String) {
        begin(name)
        bytes.appendText(json)
    }

    mutating func add(_ name: String, _ value: JSONDocument.Value, of document: JSONDocument) {
        begin(name)
        document.write(value, into: &bytes)
    }

    private mutating func begin(_ name: String) {
        if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        bytes.appendText(name)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }
}
