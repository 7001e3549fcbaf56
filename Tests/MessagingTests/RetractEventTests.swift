import HangGuard
import Messaging
import TestKit
import Testing

@Suite("Events that take entries back", .guarded)
struct RetractEventTests {
    private func decode(_ value: String, type: String? = nil, _ limits: EventLimits = EventLimits()) -> Decoded {
        EventDecoder(limits: limits).decode(
            EventRecord(
                topic: "hub.events", partition: 3, offset: 42, timestamp: 1_700_000_000_000, value: Array(value.utf8),
                headers: type.map { [EventRecord.Header("content-type", Array($0.utf8))] } ?? []))
    }

    private func event(_ id: String, from source: String, in channel: Channel, by origin: String, after: Int = 0) -> Retraction {
        Retraction(.event(source: source, id: id, channel), origin: "event/" + origin, change: nil, after: after)
    }

    @Test("An event is named by its id, in each target; its source is that of the hub's own JSON")
    func byID() throws {
        let decoded = decode(#"{"id":"2","to":["user:ann","broadcast:system","user:ann"],"retract":{"id":"1"},"data":null}"#)
        #expect(
            decoded
                == .retracting(
                    [],
                    [
                        event("1", from: "hub", in: try inbox("ann"), by: "hub/2"),
                        event("1", from: "hub", in: .broadcast("system"), by: "hub/2"),
                    ], nil
                ))
        guard case .retracting([], let retractions, nil) = decode(#"{"to":"user:ann","retract":{"id":"1","source":"/s"}}"#) else {
            return #expect(Bool(false))
        }
        #expect(retractions.map(\.target) == [.event(source: "/s", id: "1", try inbox("ann"))])
        #expect(retractions.first?.origin.hasPrefix("event/kafka:hub.events/3:42:") == true, "without an id it is known by its position")
    }

    @Test("A CloudEvent names events of its own source, unless it says another")
    func cloudEvent() throws {
        func cloud(_ retract: String) -> Decoded {
            decode(#"{"specversion":"1.0","id":"2","source":"/s","type":"t","data":{"to":"user:ann","retract":\#(retract)}}"#)
        }
        #expect(cloud(#"{"id":"1"}"#) == .retracting([], [event("1", from: "/s", in: try inbox("ann"), by: "/s/2")], nil))
        #expect(cloud(#"{"id":"1","source":"/o"}"#) == .retracting([], [event("1", from: "/o", in: try inbox("ann"), by: "/s/2")], nil))
    }

    @Test("A group is retracted once for each event")
    func group() throws {
        let once = ChangePosition(commit: 0, lsn: 0, time: Timestamp(milliseconds: 0))
        let expected = Retraction(.group("g", try inbox("ann")), origin: "event/hub/2", change: once, after: 0)
        #expect(decode(#"{"id":"2","to":"user:ann","retract":{"group":"g"}}"#) == .retracting([], [expected], nil))
    }

    @Test("A retraction of a batch knows the entries before it; what is wrong does not stop the others")
    func batch() throws {
        func cloud(_ id: String, _ data: String) -> String {
            #"{"specversion":"1.0","id":"\#(id)","source":"/s","type":"t","data":{\#(data)}}"#
        }
        let events = [
            cloud("1", #""to":["user:ann","user:bob"]"#), cloud("2", #""to":["user:ann","x"],"retract":{"id":"1"}"#),
            cloud("3", #""to":"user:ann""#),
        ]
        let decoded = decode("[" + events.joined(separator: ",") + "]", type: "application/cloudevents-batch+json")
        guard case .retracting(let drafts, let retractions, let rejection?) = decoded else { return #expect(Bool(false), "\(decoded)") }
        #expect(drafts.map(\.id) == ["1", "1", "3"])
        #expect(retractions == [event("1", from: "/s", in: try inbox("ann"), by: "/s/2", after: 2)])
        #expect(rejection.reason == .badTarget && rejection.targets == ["x"])
        var limits = EventLimits()
        limits.retractions = 2
        guard
            case .rejected(let tooMany) = decode(
                "[" + events.joined(separator: ",") + "]", type: "application/cloudevents-batch+json", limits)
        else {
            return #expect(Bool(false))
        }
        #expect(tooMany.reason == .tooManyRetractions)
        limits.retractions = 3
        #expect(decode("[" + events.joined(separator: ",") + "]", type: "application/cloudevents-batch+json", limits) == decoded)
    }
}
