import Dialect
import JSON

/// The bench's commands to the hub, and a search for numbers in the hub's lines. A JSON parser would cost more than the hub itself.
enum HubWords {
    struct Follow: Sendable {
        var channel: String
        var since: UInt64?
    }

    static func connect(token: String, _ channels: [Follow]) -> [UInt8] {
        let list = channels.map { follow in
            #"{"channel":"\#(follow.channel)""# + (follow.since.map { #","since":\#($0)"# } ?? "") + "}"
        }
        return Array(#"{"id":1,"type":"connect","token":"\#(token)","channels":[\#(list.joined(separator: ","))]}"#.utf8)
    }

    static func ack(id: UInt64, channel: String, seq: UInt64) -> [UInt8] {
        Array(#"{"id":\#(id),"type":"ack","channel":"\#(channel)","seq":\#(seq)}"#.utf8)
    }

    static func markRead(id: UInt64, channel: String, upTo: UInt64) -> [UInt8] {
        Array(#"{"id":\#(id),"type":"mark-read","channel":"\#(channel)","upTo":\#(upTo)}"#.utf8)
    }

    static func open(id: UInt64, with user: String) -> [UInt8] { Array(#"{"id":\#(id),"type":"open","with":"\#(user)"}"#.utf8) }

    static func subscribe(id: UInt64, channel: String) -> [UInt8] {
        Array(#"{"id":\#(id),"type":"subscribe","channel":"\#(channel)","since":0}"#.utf8)
    }

    static func send(id: UInt64, channel: String, key: UInt64, body: String) -> [UInt8] {
        Array(#"{"id":\#(id),"type":"send","channel":"\#(channel)","key":"\#(key)","body":"\#(body)"}"#.utf8)
    }
}

/// One line of the hub's message, as a range of its bytes.
struct HubLineView {
    static let entry = Array(#"{"type":"entry","#.utf8)
    static let signal = Array(#"{"type":"signal","signal":""#.utf8)
    static let live = Array(#"{"type":"signal","signal":"live","#.utf8)
    static let receipt = Array(#"{"type":"receipt","#.utf8)
    static let counters = Array(#"{"type":"counters","#.utf8)
    static let cursor = Array(#"{"type":"cursor","#.utf8)
    static let bye = Array(#"{"type":"bye","#.utf8)
    static let reply = Array(#"{"re":"#.utf8)
    static let ok = Array(#","ok":{"#.utf8)
    static let seq = Array(#","seq":"#.utf8)
    static let identifier = Array(#","id":""#.utf8)
    static let delivered = Array(#""delivered":"#.utf8)
    static let read = Array(#""read":"#.utf8)
    static let channel = Array(#""channel":""#.utf8)

    /// Calls `body` with the bounds of each line of a message.
    @inline(__always)
    static func each(_ message: Span<UInt8>, _ body: (Range<Int>) -> Void) {
        var start = 0
        while start < message.count {
            let end = Lines.end(message, start, message.count)
            body(start..<end)
            start = end + 1
        }
    }

    static func begins(_ message: Span<UInt8>, _ line: Range<Int>, _ prefix: [UInt8]) -> Bool {
        guard line.count >= prefix.count else { return false }
        for position in 0..<prefix.count where message[line.lowerBound + position] != prefix[position] { return false }
        return true
    }

    /// The position right after the needle.
    static func after(_ message: Span<UInt8>, _ line: Range<Int>, _ needle: [UInt8]) -> Int? {
        var position = line.lowerBound
        while position + needle.count <= line.upperBound {
            if message[position] == needle[0], begins(message, position..<line.upperBound, needle) { return position + needle.count }
            position += 1
        }
        return nil
    }

    /// The decimal number that follows the needle.
    static func number(_ message: Span<UInt8>, _ line: Range<Int>, after needle: [UInt8]) -> UInt64? {
        guard var position = after(message, line, needle) else { return nil }
        var value: UInt64 = 0
        let start = position
        while position < line.upperBound {
            let digit = message[position] &- UInt8(ascii: "0")
            guard digit < 10, value < 1_000_000_000_000_000_000 else { break }
            value = value * 10 + UInt64(digit)
            position += 1
        }
        return position > start ? value : nil
    }

    /// The text up to the next quotation mark.
    static func text(_ message: Span<UInt8>, _ line: Range<Int>, after needle: [UInt8]) -> String? {
        guard let start = after(message, line, needle) else { return nil }
        var end = start
        while end < line.upperBound, message[end] != UInt8(ascii: "\"") { end += 1 }
        return words(message, start..<end)
    }

    static func words(_ message: Span<UInt8>, _ range: Range<Int>) -> String {
        var bytes: [UInt8] = []
        for position in range.prefix(400) { bytes.append(message[position]) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
