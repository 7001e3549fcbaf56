import HangGuard
import Kafka
import Messaging
import Telemetry
import Testing

@testable import Intake

/// From an in-process broker into a store that fails on demand.
@Suite(.guarded) struct IntakeTests {
    @Test func `Every record becomes an entry, in order within its partition, and is committed after that`() async throws {
        let bench = try IntakeBench(partitions: 3)
        for partition in 0..<3 { try await bench.write((0..<200).map { "\(partition)-\($0)" }, to: Int32(partition)) }
        let intake = try bench.intake()
        try await eventually("all stored") { bench.store.entries.count == 600 }
        for partition in 0..<3 { #expect(bench.store.ids(startingWith: "\(partition)-") == (0..<200).map { "\(partition)-\($0)" }) }
        #expect(bench.store.position("hub.events", 1) == 199)
        try await eventually("counted") {
            intake.metrics.entries.value == 600 && intake.metrics.lag.value == 0 && intake.metrics.partitions.value == 3
        }
        try await eventually("broker seen") { intake.metrics.brokersUp.value == 1 }
        #expect(intake.metrics.records.value == 600)
        try await intake.stopped()

        // The next member of the group begins behind what was committed.
        let second = try bench.intake()
        try await bench.write(["0-200"], to: 0)
        try await eventually("the later record") { bench.store.entries.count == 601 }
        #expect(second.metrics.records.value == 1)
        #expect(bench.store.duplicates == 0)
        try await second.stopped()
    }

    @Test func `Tombstones are passed over, null keys survive, and what cannot be read goes to the dead letters with its origin`()
        async throws
    {
        let bench = try IntakeBench()
        var nullKey = bench.event("null-key")
        nullKey.key = nil
        let empty = OutgoingRecord(
            topic: "hub.events", partition: 0, key: nil, value: [],
            headers: [RecordHeader("own", nil), RecordHeader("hub.dlq.reason", "older")])
        let garbage = OutgoingRecord(topic: "hub.events", partition: 0, key: [], value: [0xFF, 0x00], headers: [RecordHeader("own", "1")])
        let tombstone = OutgoingRecord(topic: "hub.events", partition: 0, key: [1], value: nil)
        try await bench.write([bench.event("first"), tombstone, nullKey, empty, garbage, bench.event("last"), tombstone])
        let intake = try bench.intake()
        try await eventually("the good ones") { bench.store.position("hub.events", 0) == 6 }
        #expect(bench.store.entries.map(\.id) == ["first", "null-key", "last"])
        let letters = try await bench.deadLetters(2)
        #expect(letters.map(\.key) == [nil, []])
        #expect(letters.map(\.value) == [[], [0xFF, 0x00]])
        #expect(letters.map { $0.header("hub.dlq.reason") } == ["not_json", "not_json"])
        #expect(letters.map { $0.header("hub.dlq.topic") } == ["hub.events", "hub.events"])
        #expect(letters.map { $0.header("hub.dlq.partition") } == ["0", "0"])
        #expect(letters.map { $0.header("hub.dlq.offset") } == ["3", "4"])
        #expect(letters.map { $0.header("hub.dlq.attempts") } == ["1", "1"])
        #expect(letters.allSatisfy { Int64($0.header("hub.dlq.timestamp") ?? "").map { $0 > 1_600_000_000_000 } ?? false })
        #expect(letters.map { $0.headers.filter { $0.name == "own" } } == [[RecordHeader("own", nil)], [RecordHeader("own", "1")]])
        #expect(letters[0].headers.count { $0.name == "hub.dlq.reason" } == 1)
        #expect(intake.metrics.discards.values.map(\.label) == ["tombstone"])
        #expect(intake.metrics.discards.values.map(\.count) == [2])
        #expect(intake.metrics.deadLetters.values.map(\.count) == [2])
        try await intake.stopped()
    }

    @Test func `An oversized value is kept whole in the dead letter`() async throws {
        let bench = try IntakeBench()
        let large = OutgoingRecord(topic: "hub.events", partition: 0, key: [1], value: [UInt8](repeating: 0x20, count: 300_000))
        try await bench.write([large])
        let intake = try bench.intake()
        try await eventually("passed") { bench.store.position("hub.events", 0) == 0 }
        let letters = try await bench.deadLetters(1)
        #expect(letters.map { $0.header("hub.dlq.reason") } == ["too_large"])
        #expect(letters.first?.value?.count == 300_000)
        #expect(letters.first?.header("hub.dlq.truncated") == nil)
        try await intake.stopped()
    }

    @Test func `A dead letter the topic finds too large is cut, and says so`() async throws {
        let bench = try IntakeBench()
        let large = OutgoingRecord(topic: "hub.events", partition: 0, key: [1], value: [UInt8](repeating: 0x20, count: 300_000))
        try await bench.write([large])
        bench.cluster.fail(.produce, with: [.messageTooLarge])
        let intake = try bench.intake()
        try await eventually("passed") { bench.store.position("hub.events", 0) == 0 }
        let letters = try await bench.deadLetters(1)
        #expect(letters.map { $0.value?.count } == [DeadLetter.truncatedValueBytes])
        #expect(letters.first?.header("hub.dlq.truncated") == "300000")
        #expect(letters.first?.key == [1])
        try await intake.stopped()
    }

    @Test(arguments: [FakeStore.Mood.away, .full])
    func `While the store takes nothing the partitions are paused; afterwards nothing is missing`(mood: FakeStore.Mood) async throws {
        let bench = try IntakeBench(partitions: 2)
        let intake = try bench.intake()
        try await bench.write(["0-0"], to: 0)
        try await eventually("the first") { bench.store.entries.count == 1 }
        bench.store.become(mood)
        for partition in 0..<2 { try await bench.write((1...300).map { "\(partition)-\($0)" }, to: Int32(partition)) }
        try await eventually("a pause") { intake.metrics.paused.value == 1 }
        let requests = bench.store.requests
        try await eventually("several tries") { bench.store.requests > requests + 3 }
        #expect(bench.store.entries.count == 1)
        bench.store.become(.up)
        try await eventually("all stored") { bench.store.entries.count == 601 }
        try await eventually("resumed") { intake.metrics.paused.value == 0 }
        #expect(bench.store.ids(startingWith: "0-") == (0...300).map { "0-\($0)" })
        #expect(bench.store.ids(startingWith: "1-") == (1...300).map { "1-\($0)" })
        try await intake.stopped()
    }

    @Test func `The records the store refuses are found among the others and dead-lettered`() async throws {
        let bench = try IntakeBench()
        bench.store.become(.refusing(["r-7", "r-64"]))
        try await bench.write((0..<100).map { "r-\($0)" })
        let intake = try bench.intake()
        try await eventually("the others") { bench.store.position("hub.events", 0) == 99 }
        #expect(bench.store.entries.map(\.id) == (0..<100).map { "r-\($0)" }.filter { $0 != "r-7" && $0 != "r-64" })
        let letters = try await bench.deadLetters(2)
        #expect(letters.map(\.key) == [Array("r-7".utf8), Array("r-64".utf8)])
        #expect(letters.allSatisfy { $0.header("hub.dlq.reason") == "refused" && $0.header("hub.dlq.detail") == "invalid byte sequence" })
        #expect(letters.allSatisfy { Int($0.header("hub.dlq.attempts") ?? "").map { $0 >= 3 } ?? false })
        try await intake.stopped()
    }

    @Test func `While dead letters cannot be written nothing moves past the record, and nothing is dropped`() async throws {
        let bench = try IntakeBench()
        bench.cluster.setTopicFault(.topicAuthorizationFailed, on: "hub.events.dlq")
        try await bench.write([bench.event("before")])
        try await bench.write([OutgoingRecord(topic: "hub.events", partition: 0, value: Array("garbage".utf8))])
        try await bench.write([bench.event("after")])
        let intake = try bench.intake()
        try await eventually("a pause") { intake.metrics.paused.value == 1 }
        try await eventually("several tries") { intake.metrics.deadLetterFailures.values.reduce(0) { $0 + $1.count } >= 2 }
        #expect((bench.store.position("hub.events", 0) ?? -1) < 1)
        #expect(intake.metrics.deadLetterTopic.value == 0)
        bench.cluster.setTopicFault(nil, on: "hub.events.dlq")
        try await eventually("all settled") { bench.store.position("hub.events", 0) == 2 }
        #expect(bench.store.entries.map(\.id) == ["before", "after"])
        let letters = try await bench.deadLetters(1)
        #expect(letters.map(\.value) == [Array("garbage".utf8)])
        #expect(intake.metrics.deadLetterTopic.value == 1)
        try await intake.stopped()
    }

    @Test func `A dead-letter topic that is missing is told before the first letter, looked for again, and found`() async throws {
        let bench = try IntakeBench()
        bench.cluster.setTopicFault(.unknownTopicOrPartition, on: "hub.events.dlq")
        let intake = try bench.intake { $0.deadLetterTopicInterval = .milliseconds(100) }
        // The in-process broker makes no topic that is asked for, so it can only be told that this one is missing.
        try await eventually("the news") { intake.metrics.deadLetterTopic.value == 0 }
        bench.cluster.setTopicFault(nil, on: "hub.events.dlq")
        try await eventually("the topic") { intake.metrics.deadLetterTopic.value == 1 }
        #expect(intake.metrics.deadLetterFailures.values.isEmpty)
        try await intake.stopped()
    }

    @Test func `A dead-letter topic is there, missing, or nobody can be asked`() async throws {
        let bench = try IntakeBench()
        let brokers = bench.cluster.brokers
        let (there, missing, unknown) = try await offPool {
            func state(_ topic: String, _ brokers: String) -> DeadLetterTopic.State {
                DeadLetterTopic(topic, brokers: brokers, properties: ClientProperties()).state(isRehearsal: true, within: .seconds(1))
            }
            return (state("hub.events.dlq", brokers), state("elsewhere", brokers), state("hub.events.dlq", "127.0.0.1:1"))
        }
        #expect(there == .there(partitions: 1))
        guard case .missing = missing, case .unknown = unknown else {
            Issue.record("\(missing), \(unknown)")
            return
        }
    }

    @Test func `A target that is none does not stop the others, is named in the dead letter, and trying again makes no second entry`()
        async throws
    {
        let bench = try IntakeBench()
        let json = #"{"id":"mixed","type":"t","to":["user:alice","nobody:x","user:bob"],"title":"T"}"#
        let record = OutgoingRecord(topic: "hub.events", partition: 0, value: Array(json.utf8))
        try await bench.write([record])
        let intake = try bench.intake()
        try await eventually("passed") { bench.store.position("hub.events", 0) == 0 }
        #expect(bench.store.entries.map(\.channel.storedName) == ["inbox:alice", "inbox:bob"])
        let letter = try #require(try await bench.deadLetters(1).first)
        #expect(letter.value == Array(json.utf8))
        #expect(letter.header("hub.dlq.reason") == "bad_target")
        #expect(letter.header("hub.dlq.targets") == #"["nobody:x"]"#)
        try await bench.write([OutgoingRecord(topic: "hub.events", partition: 0, value: letter.value, headers: letter.headers)])
        try await eventually("passed again") { bench.store.position("hub.events", 0) == 1 }
        #expect(bench.store.entries.count == 2 && bench.store.duplicates == 2)
        try await intake.stopped()
    }

    @Test func `What was stored but not committed is read again and recognized`() async throws {
        let bench = try IntakeBench()
        let nameless = OutgoingRecord(
            topic: "hub.events", partition: 0, value: Array(#"{"type":"t","to":["user:alice"],"title":"no id"}"#.utf8))
        try await bench.write([bench.event("one"), nameless])
        // As if the hub had died between the store's commit and Kafka's: no commit gets through.
        bench.cluster.fail(.offsetCommit, with: Array(repeating: .illegalGeneration, count: 1_000))
        let first = try bench.intake()
        try await eventually("stored") { bench.store.entries.count == 2 }
        try await first.stopped()
        #expect(first.metrics.commits.value == 0)
        bench.cluster.forgetFaults(of: .offsetCommit)

        let second = try bench.intake()
        try await eventually("read again") { second.metrics.duplicates.value == 2 }
        #expect(bench.store.entries.count == 2)
        try await eventually("committed") { second.metrics.commits.value > 0 }
        try await second.stopped()
    }

    @Test func `A broker that starts empty, or a topic made anew, swallows nothing`() async throws {
        let store = FakeStore()
        for run in 0..<2 {
            let bench = try IntakeBench(store: store)
            let nameless = OutgoingRecord(
                topic: "hub.events", partition: 0, value: Array(#"{"type":"t","to":["user:alice"],"title":"run \#(run)"}"#.utf8))
            try await bench.write([bench.event("run-\(run)"), nameless])
            let intake = try bench.intake()
            try await eventually("both records of run \(run)") { store.entries.count == 2 * (run + 1) }
            #expect(store.position("hub.events", 0) == 1)
            try await intake.stopped()
        }
        #expect(store.duplicates == 0)
    }

    @Test func `A second hub takes over partitions and gives them back; nothing is lost and order is kept`() async throws {
        let bench = try IntakeBench(partitions: 4)
        let first = try bench.intake()
        func write(_ numbers: ClosedRange<Int>) async throws {
            for partition in 0..<4 { try await bench.write(numbers.map { "\(partition)-\($0)" }, to: Int32(partition)) }
        }
        try await write(0...20)
        try await eventually("the first records") { bench.store.entries.count == 84 }
        let second = try bench.intake()
        try await write(21...40)
        try await eventually("two partitions each") {
            first.metrics.partitions.value == 2 && second.metrics.partitions.value == 2
        }
        try await write(41...60)
        try await eventually("all so far") { bench.store.entries.count == 4 * 61 }
        try await eventually("the second stores") { second.metrics.entries.value > 0 }
        try await second.stopped()
        try await write(61...80)
        try await eventually("all") { bench.store.entries.count == 4 * 81 }
        for partition in 0..<4 { #expect(bench.store.ids(startingWith: "\(partition)-") == (0...80).map { "\(partition)-\($0)" }) }
        try await first.stopped()
    }

    @Test func `A broker that goes away and comes back is told, and reading goes on`() async throws {
        let bench = try IntakeBench()
        let intake = try bench.intake()
        try await bench.write(["before"])
        try await eventually("the first") { bench.store.entries.count == 1 && intake.metrics.brokersUp.value == 1 }
        try bench.cluster.takeDown()
        try await eventually("the failure") { intake.metrics.brokersUp.value == 0 }
        try bench.cluster.bringUp()
        try await bench.write(["after"])
        try await eventually("the second") { bench.store.entries.count == 2 }
        try await eventually("the return") { intake.metrics.brokersUp.value == 1 }
        try await intake.stopped()
    }

    @Test func `Stopping ends in time though the store does not answer, and commits nothing unanswered`() async throws {
        let bench = try IntakeBench()
        let intake = try bench.intake()
        try await bench.write(["answered"])
        try await eventually("the first") { bench.store.entries.count == 1 }
        bench.store.become(.silent)
        try await bench.write(["unanswered"])
        try await eventually("an open request") { bench.store.hasWaiting }
        let start = ContinuousClock.now
        try await intake.stopped(within: .seconds(2))
        #expect(ContinuousClock.now - start < .seconds(60))
        let left = try await bench.read("hub.events", count: 1, group: "hub")
        #expect(left.map(\.key) == [Array("unanswered".utf8)])
    }

    @Test func `An intake whose thread hangs is left behind`() async throws {
        let bench = try IntakeBench()
        let desk = HangingDesk()
        let intake = try bench.intake(bench.configuration(), desk)
        try await bench.write(["one"])
        try await eventually("the thread hangs") { desk.hangs }
        intake.stop(within: .seconds(1))
        let hasEnded = try await offPool { intake.join(within: .milliseconds(200)) }
        #expect(!hasEnded)
        desk.release()
    }

    @Test func `Records and answers wake the intake by themselves`() async throws {
        let bench = try IntakeBench()
        let intake = try bench.intake { $0.tick = .seconds(3_600) }
        for i in 0..<20 {
            try await bench.write(["w-\(i)"])
            try await eventually("record \(i)") { bench.store.entries.count == i + 1 }
        }
        #expect(intake.metrics.commits.value == 0)
        try await intake.stopped()
        #expect(intake.metrics.commits.value == 1)
    }

    @Test func `A consumer that fails for good is made anew, and reading goes on`() async throws {
        let bench = try IntakeBench()
        let intake = try bench.intake()
        try await bench.write(["before"])
        try await eventually("the first") { bench.store.entries.count == 1 }
        bench.cluster.fail(.heartbeat, with: [.fencedInstance])
        try await eventually("the failure") { intake.metrics.clientRestarts.value == 1 }
        try await bench.write(["after"])
        try await eventually("the second") { bench.store.entries.count == 2 }
        try await intake.stopped()
    }

    @Test func `Partitions lost during a pause are read again when they come back, though nothing was left to resume`() async throws {
        let bench = try IntakeBench()
        let intake = try bench.intake()
        try await bench.write(["first"])
        try await eventually("the first") { bench.store.entries.count == 1 }
        bench.store.become(.away)
        try await bench.write(["second"])
        try await eventually("a pause") { intake.metrics.paused.value == 1 }
        bench.cluster.fail(.heartbeat, with: [.unknownMember])
        try await eventually("the loss") { intake.metrics.rebalances.values.contains { $0.label == "lost" } }
        bench.store.become(.up)
        try await eventually("the second") { bench.store.entries.count == 2 }
        try await intake.stopped()
    }

    @Test func `A topic made anew while it is read is read from its beginning, and its records are all stored`() async throws {
        let bench = try IntakeBench()
        let intake = try bench.intake { $0.consumer.metadataRefresh = .seconds(600) }
        try await bench.write(["old-0", "old-1"])
        try await eventually("the old topic's") { bench.store.entries.count == 2 && intake.metrics.commits.value > 0 }
        bench.cluster.setTopicFault(.unknownTopicOrPartition, on: "hub.events")
        bench.cluster.fail(.fetch, with: [.unknownTopicOrPartition, .unknownTopicOrPartition])
        try await eventually("the news") { intake.metrics.rebalances.values.contains { $0.label == "restarted" } }
        bench.cluster.setTopicFault(nil, on: "hub.events")
        // The in-process broker keeps the records: what is read from the beginning is recognized.
        try await eventually("reading from the beginning") { intake.metrics.duplicates.value == 2 }
        try await bench.write(["new"])
        try await eventually("the new topic's") { bench.store.entries.count == 3 }
        try await intake.stopped()
    }

    @Test func `What is waiting behind a slow store is bounded`() async throws {
        let bench = try IntakeBench()
        let intake = try bench.intake {
            $0.flow.gatheredRecords = 50
            $0.poll.records = 20
        }
        bench.store.become(.silent)
        try await bench.write((0..<1_000).map { "s-\($0)" })
        try await eventually("a pause") { intake.metrics.paused.value == 1 }
        // One batch at the store, one behind it.
        #expect(intake.metrics.records.value <= 100)
        bench.store.become(.up)
        try await eventually("all stored") { bench.store.entries.count == 1_000 }
        #expect(bench.store.entries.map(\.id) == (0..<1_000).map { "s-\($0)" })
        try await intake.stopped()
    }

    @Test(arguments: [("hub.events.dlq", "hub.events.dlq"), ("", "hub.events.dlq")])
    func `Reading the dead letters, or no topic, is refused`(topic: String, deadLetters: String) throws {
        let configuration = IntakeConfiguration(brokers: "127.0.0.1:1", topics: [topic], deadLetterTopic: deadLetters)
        let failure = #expect(throws: KafkaError.self) { try configuration.validate() }
        #expect(failure?.kind == .configuration)
    }

    @Test func `A property that cannot be is refused by name`() {
        var configuration = IntakeConfiguration(brokers: "127.0.0.1:1")
        configuration.apply([("security.protocol", "ssl"), ("sasl.mechanismus", "PLAIN")])
        let failure = #expect(throws: KafkaError.self) { try configuration.validate() }
        #expect(failure?.kind == .property("sasl.mechanismus"))
    }
}
