import HangGuard
import Kafka
import Messaging
import Testing

@testable import Intake

/// Records that take entries back, among others.
@Suite(.guarded) struct IntakeRetractionTests: IntakeDialogue {
    private let channel = Channel.broadcast("system")

    private func event(_ id: String, after: Int = 0) -> Retraction {
        Retraction(.event(source: "test", id: id, channel), origin: "event/test/no \(id)", change: nil, after: after)
    }
    private func group(_ id: String, after: Int = 0) -> Retraction {
        Retraction(
            .group("g", channel), origin: "event/test/\(id)", change: ChangePosition(commit: 0, lsn: 0, time: Timestamp(milliseconds: 0)),
            after: after)
    }
    private func taking(_ offset: Int64, _ retractions: [Retraction], drafts: [String] = []) -> JudgedRecord {
        JudgedRecord(record: record(a, offset), judgement: .entries(drafts.map { draft($0) }), taking: retractions)
    }

    @Test("Retractions of a request know the drafts of the records before them")
    func offsets() {
        var flow = flow(holding: [a])
        let records = [good(a, 0), taking(1, [event("x"), event("y", after: 1)], drafts: ["z"]), good(a, 2), taking(3, [event("v")])]
        #expect(
            deeds(flow.handle(.read(records))) == [
                .submit(
                    token: 1, [draft("0:0"), draft("z"), draft("0:2")], [position(a, 3)],
                    [event("x", after: 1), event("y", after: 2), event("v", after: 3)])
            ])
        #expect(flow.handle(.answered(token: 1, stored(3))).contains(.note(.stored(records: 4, entries: 3, duplicates: 0, discards: []))))
    }

    @Test("A record that retracts a group begins a request")
    func groups() {
        var flow = flow(holding: [a])
        let records = [taking(0, [group("1")]), good(a, 1), taking(2, [group("2")], drafts: ["z"]), good(a, 3)]
        #expect(deeds(flow.handle(.read(records))) == [.submit(token: 1, [draft("0:1")], [position(a, 1)], [group("1")])])
        #expect(
            deeds(flow.handle(.answered(token: 1, stored(1)))) == [
                .submit(token: 2, [draft("z"), draft("0:3")], [position(a, 3, after: 1)], [group("2")])
            ])
    }

    @Test("A request has few retractions, and with them or with causes few drafts")
    func sizes() {
        func fitting(_ records: [JudgedRecord], _ change: (inout IntakeFlow.Limits) -> Void) -> Int {
            var limits = IntakeFlow.Limits()
            change(&limits)
            return RequestSize(limits).fitting(records)
        }
        let takers = (0..<9).map { taking($0, [event("\($0)"), event("x")]) }
        #expect(fitting(takers) { $0.retractionsPerRequest = 6 } == 3)
        #expect(fitting(takers) { $0.retractionsPerRequest = 1 } == 1, "one record goes in any case")
        let plain = (0..<9).map { good(a, $0) }
        #expect(fitting(plain) { $0.draftsPerTransaction = 4 } == 9)
        #expect(fitting([taking(0, [event("x")])] + plain) { $0.draftsPerTransaction = 4 } == 5)
        var caused = draft("c")
        caused.cause = Cause(row: "r", rule: "s", change: ChangePosition(commit: 0, lsn: 1, time: Timestamp(milliseconds: 0)))
        let causing = JudgedRecord(record: record(a, 0), judgement: .entries([caused]))
        #expect(fitting([causing] + plain) { $0.draftsPerTransaction = 4 } == 4)
        let large = JudgedRecord(record: record(a, 0), judgement: .entries([draft("l", content: "12345")]))
        #expect(fitting([taking(0, [event("x")]), large, large]) { $0.bytesPerTransaction = 9 } == 2)
    }

    @Test("A record that only retracts is halved, refused and dead-lettered like any other")
    func refused() {
        var flow = flow(holding: [a]) { $0.refusals = 1 }
        #expect(deeds(flow.handle(.read([taking(0, [event("x")]), good(a, 1)]))).count == 1)
        #expect(
            deeds(flow.handle(.answered(token: 1, .failed(.refused("bad"))))) == [
                .submit(token: 2, [], [position(a, 0)], [event("x")])
            ])
        let actions = deeds(flow.handle(.answered(token: 2, .failed(.refused("bad")))))
        guard case .deadLetter(let letters)? = actions.first else { return #expect(Bool(false), "\(actions)") }
        #expect(letters.map(\.cause.reason) == ["refused"])
        #expect(
            deeds(flow.handle(.letterWritten(token: 3))) == [.submit(token: 4, [], [position(a, 0)])],
            "it is not tried again with the position")
    }

    @Test("What was stored of a record is not taken back when its missing conversation is reported")
    func partly() {
        var flow = flow(holding: [a])
        _ = flow.handle(.read([taking(0, [event("x")]), good(a, 1)]))
        let actions = deeds(flow.handle(.answered(token: 1, .partlyStored([nil]))))
        guard case .deadLetter(let letters)? = actions.first else { return #expect(Bool(false), "\(actions)") }
        #expect(letters.map(\.record.offset) == [1])
        #expect(deeds(flow.handle(.letterWritten(token: letters[0].token))) == [.submit(token: 3, [], [position(a, 1)])])
    }
}
