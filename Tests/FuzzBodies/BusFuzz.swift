import Bus
import Messaging

/// Messages of the bus. What is read can be written, and reads the same again.
enum BusFuzz {
    static func run(_ input: [UInt8]) {
        let decoded: BusCodec.Decoded
        do throws(BusCodec.Failure) { decoded = try BusCodec.decode(input) } catch { return }
        precondition(input[0] == BusCodec.major, "another version was read")
        let isNewer = input[1] > BusCodec.minor
        precondition(isNewer || decoded.unknownKinds == 0 && decoded.unreadable == 0, "something of this version was passed over")
        for event in decoded.events { check(event) }
        // In one message, so that no event is divided.
        let encoded = BusCodec.encode(decoded.events, usualMessage: BusCodec.longestMessage)
        precondition(encoded.leftOut == 0 && encoded.messages.count <= 1, "more came out than went in")
        guard let message = encoded.messages.first else { return }
        precondition(input[1] != BusCodec.minor || message.count <= input.count, "the same events have a shorter form")
        guard let again = try? BusCodec.decode(message) else { preconditionFailure("the codec refuses its own message") }
        // An event without entries is not written again.
        let events = decoded.events.filter { $0 != .entries([]) }
        precondition(again.events == events, "a message means two things")
    }

    private static func check(_ event: BusEvent) {
        switch event {
        case .entries(let entries): precondition(entries.allSatisfy { $0.seq > .zero })
        case .moved(let cursor): check(cursor.state)
        case .opened(let state, by: _): check(state)
        case .withdrawn, .fenced, .active, .hidingChanged, .storedElsewhere, .movedElsewhere, .signal: break
        }
    }

    private static func check(_ state: ChannelState) {
        var end = state.cursor.read.rawValue
        for range in state.cursor.readAlso {
            precondition(range.lowerBound > end, "ranges overlap")
            end = range.upperBound
        }
        precondition(state.cursor.readAlso.count <= Cursor.mostRanges)
    }
}
