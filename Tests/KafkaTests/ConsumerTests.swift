import HangGuard
import Testing

@testable import Kafka

@Suite(.guarded) struct ConsumerTests {
    @Test func `Records of a partition come in order, within the limits of a poll`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 3)
            let values = (0..<400).map { "\($0)" }
            for partition in 0..<3 { try cluster.write(values, to: Int32(partition)) }
            let reader = try Reader(cluster.configuration())
            reader.limits = PollLimits(records: 70, bytes: 100)
            try reader.read("all records") { $0.records.count == 1_200 }
            for partition in 0..<3 { #expect(reader.texts(of: Int32(partition)) == values) }
            #expect(reader.polls.allSatisfy { $0.records.count <= 70 })
            // The byte limit is passed by one record (here of at most three bytes) at most.
            #expect(reader.polls.allSatisfy { $0.records.reduce(0) { $0 + $1.sizeBytes } <= 102 })
            #expect(reader.consumer.highWatermark(of: TopicPartition("events", 1)) == 400)
            #expect(reader.consumer.highWatermark(of: TopicPartition("elsewhere", 0)) == nil)
        }
    }

    @Test func `A group goes on where it had committed, and nowhere else`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            try cluster.write(["0", "1", "2", "3", "4"], to: 0)
            let place = TopicPartition("events", 0)
            let first = try Reader(cluster.configuration())
            try first.read("five records") { $0.records.count == 5 }
            try first.consumer.commit([NextOffset(place, 2)])
            try first.read("the commit's answer") { !$0.committed.isEmpty }
            #expect(first.committed == [CommitResult(next: NextOffset(place, 2), failure: nil)])
            let last = first.consumer.close(committing: [NextOffset(place, 3)], within: .seconds(10))
            #expect(last == [CommitResult(next: NextOffset(place, 3), failure: nil)])

            let second = try Reader(cluster.configuration())
            try second.read("the rest") { $0.records.count >= 2 }
            #expect(second.texts(of: 0) == ["3", "4"])
        }
    }

    @Test func `A commit the broker refuses is reported per partition`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            let reader = try Reader(cluster.configuration())
            try reader.read("an assignment") { !$0.assigned.isEmpty }
            cluster.fail(.offsetCommit, with: [.illegalGeneration])
            try reader.consumer.commit([NextOffset(TopicPartition("events", 0), 0)])
            try reader.read("the commit's answer") { !$0.committed.isEmpty }
            #expect(reader.committed.first?.failure?.name == "ILLEGAL_GENERATION")
        }
    }

    @Test func `A paused partition is silent until it is resumed, and loses nothing`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 2)
            let reader = try Reader(cluster.configuration())
            try cluster.write(["a0"], to: 0)
            try cluster.write(["b0"], to: 1)
            try reader.read("one record each") { $0.records.count == 2 }
            reader.consumer.pause([TopicPartition("events", 0)])
            try cluster.write((1...100).map { "a\($0)" }, to: 0)
            try cluster.write((1...100).map { "b\($0)" }, to: 1)
            try reader.read("the other partition") { $0.texts(of: 1).count == 101 }
            #expect(reader.texts(of: 0) == ["a0"])
            reader.consumer.resume([TopicPartition("events", 0)])
            try reader.read("the resumed partition") { $0.texts(of: 0).count >= 101 }
            #expect(reader.texts(of: 0) == (0...100).map { "a\($0)" })
        }
    }

    @Test func `A partition that was paused when it was lost is read again when it comes back`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            let reader = try Reader(cluster.configuration())
            try cluster.write(["0"], to: 0)
            try reader.read("the first record") { $0.records.count == 1 }
            reader.consumer.pause([TopicPartition("events", 0)])
            cluster.fail(.heartbeat, with: [.unknownMember])
            try reader.read("the loss") {
                $0.events.contains { if case .lost = $0 { true } else { false } }
            }
            try cluster.write(["1"], to: 0)
            try reader.read("both records") { $0.records.count == 3 }
            #expect(reader.texts(of: 0) == ["0", "0", "1"])
        }
    }

    @Test func `A partition that was paused when it was revoked is read again when it comes back`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 2)
            let first = try Reader(cluster.configuration())
            try first.read("both partitions") { $0.assigned.count == 2 }
            first.consumer.pause(Array(first.assigned))
            let second = try Reader(cluster.configuration())
            try Reader.read([first, second], "a partition each") {
                first.assigned.count == 1 && second.assigned.count == 1
            }
            let moved = second.assigned
            second.consumer.close(within: .seconds(10))
            first.consumer.resume(Array(first.assigned))
            try first.read("both partitions again") { $0.assigned.count == 2 }
            for partition in moved { try cluster.write(["here"], to: partition.partition) }
            try first.read("a record of what came back") { $0.records.count == 1 }
        }
    }

    @Test func `Going back to the beginning reads everything again, also out of a pause`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            try cluster.write(["0", "1", "2"], to: 0)
            let place = TopicPartition("events", 0)
            let reader = try Reader(cluster.configuration())
            try reader.read("the records") { $0.records.count == 3 }
            reader.consumer.restart([place, TopicPartition("elsewhere", 7)])
            try reader.read("the records again") { $0.records.count == 6 }
            reader.consumer.pause([place])
            reader.consumer.restart([place])
            reader.consumer.pause([place])
            reader.consumer.resume([place])
            try reader.read("the records once more") { $0.records.count == 9 }
            #expect(reader.texts(of: 0) == ["0", "1", "2", "0", "1", "2", "0", "1", "2"])
        }
    }

    @Test func `A topic that was deleted is told once, and is read from its beginning after the next assignment`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            try cluster.write(["0", "1"], to: 0)
            let place = TopicPartition("events", 0)
            let reader = try Reader(cluster.configuration())
            try reader.read("the records") { $0.records.count == 2 }
            try reader.consumer.commit([NextOffset(place, 2)])
            try reader.read("the commit's answer") { !$0.committed.isEmpty }
            cluster.setTopicFault(.unknownTopicOrPartition, on: "events")
            try reader.read("the loss") { $0.assigned.isEmpty }
            #expect(reader.events.filter { $0 == .vanished([place]) }.count == 1)
            cluster.setTopicFault(nil, on: "events")
            try reader.read("the records of the topic that is there again") { $0.records.count == 4 }
            #expect(reader.texts(of: 0) == ["0", "1", "0", "1"])
        }
    }

    @Test func `A topic deleted and made anew between two looks at the group's topics is told while its partition stays assigned`()
        async throws
    {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            try cluster.write(["0", "1"], to: 0)
            let place = TopicPartition("events", 0)
            var configuration = cluster.configuration()
            configuration.metadataRefresh = .seconds(600)
            let reader = try Reader(configuration)
            try reader.read("the records") { $0.records.count == 2 }
            cluster.setTopicFault(.unknownTopicOrPartition, on: "events")
            cluster.fail(.fetch, with: [.unknownTopicOrPartition, .unknownTopicOrPartition])
            try reader.read("the news") { $0.events.contains(.vanished([place])) }
            #expect(reader.assigned == [place])
            reader.consumer.restart([place])
            cluster.setTopicFault(nil, on: "events")
            try reader.read("the records again") { $0.records.count == 4 }
            #expect(reader.texts(of: 0) == ["0", "1", "0", "1"])
        }
    }

    @Test func `An offset beyond the topic's end starts the partition over`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            let before = try Reader(cluster.configuration())
            try before.read("an assignment") { !$0.assigned.isEmpty }
            // As if the topic had been deleted and made anew since: the group stands at 1000, the topic ends at 2.
            before.consumer.close(committing: [NextOffset(TopicPartition("events", 0), 1_000)], within: .seconds(10))
            try cluster.write(["new 0", "new 1"], to: 0)
            let after = try Reader(cluster.configuration())
            try after.read("the new records") { $0.records.count >= 2 }
            #expect(after.texts(of: 0) == ["new 0", "new 1"])
        }
    }

    @Test func `A topic that comes later is read without a restart`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.setTopicFault(.unknownTopicOrPartition, on: "later")
            let reader = try Reader(cluster.configuration(topics: ["later"]))
            try reader.read("word of the missing topic") {
                $0.events.contains { if case .failure(let failure, _) = $0 { failure.kind == .unknownTopic } else { false } }
            }
            cluster.setTopicFault(nil, on: "later")
            try cluster.write(["here"], to: 0, of: "later")
            try reader.read("its first record") { $0.records.count == 1 }
        }
    }

    @Test func `A second member takes over partitions, and what was committed is not read again`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 4)
            let first = try Reader(cluster.configuration())
            try first.read("all partitions") { $0.assigned.count == 4 }
            for partition in 0..<4 { try cluster.write(["before"], to: Int32(partition)) }
            try first.read("the first records") { $0.records.count == 4 }
            try first.consumer.commit((0..<4).map { NextOffset(TopicPartition("events", $0), 1) })
            try first.read("the commit's answer") { $0.committed.count == 4 }

            let second = try Reader(cluster.configuration())
            try Reader.read([first, second], "two partitions each") {
                first.assigned.count == 2 && second.assigned.count == 2
            }
            #expect(first.assigned.isDisjoint(with: second.assigned))
            // Cooperative: only what moves is given up.
            #expect(first.events.contains { if case .revoking(let partitions) = $0 { Set(partitions) == second.assigned } else { false } })
            for partition in 0..<4 { try cluster.write(["after"], to: Int32(partition)) }
            try Reader.read([first, second], "the later records") { first.records.count + second.records.count >= 8 }
            #expect(Set(second.records.map(\.topicPartition)) == second.assigned)
            #expect(second.records.allSatisfy { $0.value == Array("after".utf8) })
            second.consumer.close(within: .seconds(10))
            try first.read("all partitions again") { $0.assigned.count == 4 }
        }
    }

    @Test func `A member the group has given up hears that its partitions are lost, and joins again`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 2)
            let reader = try Reader(cluster.configuration())
            try reader.read("an assignment") { $0.assigned.count == 2 }
            cluster.fail(.heartbeat, with: [.unknownMember])
            try reader.read("the loss") {
                $0.events.contains { if case .lost(let partitions) = $0 { partitions.count == 2 } else { false } }
            }
            try reader.read("a new assignment") { $0.assigned.count == 2 }
        }
    }

    @Test func `An error the client cannot recover from is told as fatal`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            let reader = try Reader(cluster.configuration())
            try reader.read("an assignment") { $0.assigned.count == 1 }
            cluster.fail(.heartbeat, with: [.fencedInstance])
            try reader.read("the failure") {
                $0.events.contains { if case .failure(let failure, _) = $0 { failure.kind == .fatal } else { false } }
            }
            reader.consumer.close(within: .seconds(2))
        }
    }

    @Test func `Brokers going away and coming back are told, and reading goes on`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            try cluster.write(["before"], to: 0)
            let reader = try Reader(cluster.configuration())
            try reader.read("the first record and the broker's state") { $0.records.count == 1 && $0.events.contains(.brokersUp) }
            try cluster.takeDown()
            try reader.read("the failure") { $0.events.contains(.brokersDown) }
            try cluster.bringUp()
            try reader.read("the return") { $0.events.filter { $0 == .brokersUp }.count == 2 }
            try cluster.write(["after"], to: 0)
            try reader.read("the second record") { $0.records.count == 2 }
            #expect(reader.texts(of: 0) == ["before", "after"])
        }
    }

    @Test func `Closing before the first assignment ends in time`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            let start = ContinuousClock.now
            for _ in 0..<5 { try Reader(cluster.configuration()).consumer.close(within: .milliseconds(200)) }
            #expect(ContinuousClock.now - start < .seconds(60))
        }
    }

    @Test func `Closing answers a revocation that nobody answered`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 2)
            let first = try Reader(cluster.configuration())
            try first.read("all partitions") { $0.assigned.count == 2 }
            first.releases = false
            let second = try Reader(cluster.configuration())
            try Reader.read([first, second], "the revocation") {
                first.events.contains { if case .revoking = $0 { true } else { false } }
            }
            first.consumer.close(within: .seconds(10))
            try second.read("all partitions") { $0.assigned.count == 2 }
        }
    }

    @Test func `Closing without a broker ends in time`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            let reader = try Reader(cluster.configuration())
            try reader.read("an assignment") { $0.assigned.count == 1 }
            try cluster.takeDown()
            let start = ContinuousClock.now
            reader.consumer.close(committing: [NextOffset(TopicPartition("events", 0), 0)], within: .seconds(1))
            #expect(ContinuousClock.now - start < .seconds(60))
        }
    }
}
