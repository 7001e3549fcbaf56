import Dialect
import Linux
import Report
import Testing

@testable import Load

@Suite struct LoadTests {
    @Test func aMarkedFrameUnmasksToItsMessageWithTheNewMark() {
        let text = (Dialect.plain.echoMessage(mark: 0, bytes: 300)?.bytes) ?? []
        var frame = MarkedFrame(text, markAt: 0)
        for mark: UInt64 in [0, 7, 1_234_567_890_123_456] {
            let bytes = frame.marked(mark)
            #expect(bytes[0] == 0x81 && bytes[1] == 0x80 | 126)
            let key = Array(bytes[4..<8])
            let payload = bytes[8...].enumerated().map { $1 ^ key[$0 & 3] }
            #expect(payload == Dialect.plain.echoMessage(mark: mark, bytes: 300)?.bytes)
        }
    }

    @Test func aNumberIsFoundAfterItsName() {
        let line = Array(#"{"type":"entry","channel":"inbox","seq":42,"id":"7"}"#.utf8)
        let seq = HubLineView.number(line.span, 0..<line.count, after: HubLineView.seq)
        let delivered = HubLineView.number(line.span, 0..<line.count, after: HubLineView.delivered)
        let channel = HubLineView.text(line.span, 0..<line.count, after: HubLineView.channel)
        let isEntry = HubLineView.begins(line.span, 0..<line.count, HubLineView.entry)
        let isLive = HubLineView.begins(line.span, 0..<line.count, HubLineView.live)
        #expect(seq == 42 && delivered == nil && channel == "inbox" && isEntry && !isLive)
    }

    @Test func everyLineOfAMessageIsSeenOnce() {
        let message = Array("a\nbc\n\nd".utf8)
        var lines: [Range<Int>] = []
        HubLineView.each(message.span) { lines.append($0) }
        #expect(lines == [0..<1, 2..<4, 5..<5, 6..<7])
    }

    @Test func findingsOfSeveralWorkersAddUp() {
        var first = Findings(counts: ["deliveries": 3], userSeconds: 1, systemSeconds: 2, seconds: 5)
        first.latencies["way"] = LatencyRecorder()
        first.latencies["way"]?.record(nanoseconds: 1_000)
        var second = first
        second.seconds = 4
        second.merge(first)
        #expect(second.count("deliveries") == 6 && second.userSeconds == 2 && second.seconds == 5)
        #expect(second.latencies["way"]?.count == 2)
    }

    @Test func memoryGrowsFromTheSecondReadingOn() {
        let points = [(0, 1_000), (100, 201_000), (200, 301_000), (400, 501_000)].map {
            MemoryPoint(connections: $0.0, residentBytes: Int64($0.1))
        }
        #expect(Idle.slope(points) == 1_000)
        #expect(Idle.slope(Array(points.prefix(2))) == nil)
        let growing = [0, 1, 2, 3, 4, 6, 8].enumerated().map { MemoryPoint(connections: $0 * 100, residentBytes: Int64($1) * 100_000) }
        #expect(Idle.slope(Idle.secondHalf(growing)) == 1_666.6666666666667)
    }

    @Test func theHubsThreadsHaveGroups() {
        #expect(
            ["loop-0", "echo-3", "store", "intake", "rdk:main", "rdk:mock", "hub"].map(ProcessTimes.hubGroup) == [
                "loops", "loops", "store", "intake", "librdkafka", "embedded broker", "other",
            ])
    }

    private func plan(_ part: Part, seats: Int, door: Door = Door(host: "127.0.0.1", port: 1, path: "/")) -> Plan {
        Plan(door: door, part: part, seats: seats, firstSeat: 0, epoch: 5_000_000)
    }

    @Test func aDeliveryIsTimedWhenItIsHandledAndNotWhenItsBatchArrived() throws {
        let crowd = try HearingCrowd(plan(.hear(Hearing(dialect: .plain)), seats: 1), Hearing(dialect: .plain))
        try crowd.swarm.turn(until: 0)
        let published = MonotonicInstant.now.nanoseconds - crowd.plan.epoch
        #expect(crowd.moment >= published)
    }

    @Test func otherFramesAreCountedSeparately() throws {
        let crowd = try HearingCrowd(plan(.hear(Hearing(dialect: .hub)), seats: 1), Hearing(dialect: .hub))
        crowd.begin()
        let entry = #"{"type":"entry","channel":"broadcast:system","seq":1,"id":"0000000000000001","kind":"notification"}"#
        let counters = #"{"type":"counters","version":1}"#
        for message in [entry + "\n" + entry, counters, entry + "\n" + counters] { crowd.received(0, Array(message.utf8).span) }
        let found = crowd.found(expected: 3)
        #expect(found.count("deliveries") == 3 && found.count(Findings.messages) == 3 && found.count(Findings.others) == 2)
    }

    @Test func acksOfAnOpenLoopCountFromTheirScheduledTimes() throws {
        let acknowledging = Acknowledging(head: 100, rate: 1_000)
        let crowd = try AckCrowd(plan(.ack(acknowledging), seats: 2), acknowledging)
        // The first ack of each seat is not measured.
        for seat in 0..<2 {
            crowd.received(seat, Array(#"{"type":"signal","signal":"live","channel":"broadcast:system","seq":100}"#.utf8).span)
            crowd.received(seat, Array(#"{"re":2,"ok":{"delivered":1}}"#.utf8).span)
        }
        crowd.begin()
        let start = try #require(crowd.nextMoment)
        // After a pause of the generator all due acks are sent, each with its own scheduled time.
        while MonotonicInstant.now.nanoseconds < start + 3_000_000 { continue }
        crowd.act()
        let next = try #require(crowd.nextMoment)
        #expect(next > start + 3_000_000)
        crowd.received(0, Array(#"{"re":3,"ok":{"delivered":2}}"#.utf8).span)
        crowd.received(1, Array(#"{"re":3,"ok":{"delivered":2}}"#.utf8).span)
        let found = crowd.found(expected: nil)
        #expect(crowd.failure == nil && found.count("acks") == 2)
        #expect((found.latencies["ack → reply"]?.minNanoseconds ?? 0) > 2_400_000)
    }

    @Test func theMeasuredWindowIsWholePeriodsOfTheCounters() {
        #expect([0.3, 1, 1.5, 2, 2.01].map(Fanout.window) == [0.3, 1, 2, 2, 3])
    }

    @Test func switchesAreReadFromTheKernelsText() {
        let text = "Name:\tx\nThreads:\t1\nvoluntary_ctxt_switches:\t17\nnonvoluntary_ctxt_switches:\t3\n"
        var expected = Switches()
        (expected.sleeps, expected.preemptions) = (17, 3)
        #expect(Switches(status: text) == expected)
        #expect(Switches.now.sleeps + Switches.now.preemptions > 0)
    }

    @Test func theControlGroupIsSearchedInTheFoldersOfBothVersions() {
        #expect(ControlGroup.candidates("0::/system.slice/hub.service\n").map(\.folder).first == "/sys/fs/cgroup/system.slice/hub.service")
        let old = ControlGroup.candidates("9:name=systemd:/\n4:memory:/a/b\n1:cpu:/\n0::/\n")
        #expect(old.first.map { $0.folder == "/sys/fs/cgroup/memory/a/b" && !$0.isUnified } == true)
        #expect(ControlGroup.candidates("4:cpu,memory:/\n").first?.folder == "/sys/fs/cgroup/memory")
        #expect(ControlGroup.fields("anon 12\nslab 3\nbroken\n") == ["anon": 12, "slab": 3])
    }

    @Test func allConnectionsGoToThePathThatWasGiven() throws {
        var choice = ServerChoice(.running(.plain, host: "127.0.0.1", port: 1, pid: nil, folder: nil))
        #expect(Conductor.door(try Server.start(choice), .echo, sources: 1, compressed: false).path == "/echo")
        choice.path = "/chat?room=1"
        for role in Role.allCases {
            #expect(Conductor.door(try Server.start(choice), role, sources: 1, compressed: false).path == "/chat?room=1")
        }
    }

    @Test func theConductorsProcessorTimeIsTheGeneratorsToo() throws {
        let server = try Server.start(ServerChoice(.running(.plain, host: "127.0.0.1", port: 1, pid: nil, folder: nil)))
        let common = Scenario()
        var result = ScenarioResult(scenario: "s", server: "", operation: "delivery")
        try common.measured(server, &result) {
            var sum: UInt64 = 0
            for number in 0..<20_000_000 as Range<UInt64> { sum = sum &* 31 &+ number }
            #expect(sum != 1)
        }
        let conductor = try #require(result.generatorCPU).totalSeconds
        #expect(conductor > 0)
        result.operations = 1
        common.add(Findings(userSeconds: 2, systemSeconds: 1, seconds: 10), to: &result)
        #expect(result.generatorCPU.map { abs($0.totalSeconds - conductor - 3) < 1e-9 } == true)
    }

    @Test func processorTimeOfThisProcessIsCounted() {
        let before = ProcessTimes([Process.id], withChildren: false) { _ in "all" }
        var sum: UInt64 = 0
        for number in 0..<20_000_000 as Range<UInt64> { sum = sum &* 31 &+ number }
        let spent = ProcessTimes([Process.id], withChildren: false) { _ in "all" }.spent(since: before)
        #expect(sum != 1 && spent.count == 1 && (spent.first?.totalSeconds ?? 0) > 0)
    }
}

@Suite struct WatchTests {
    private func keepsGrowing(_ kibibytes: [Int64], published: [Int64] = [0, 0, 0, 0]) -> Bool {
        let readings = (0..<40).map { number in
            Watch.Reading(
                seconds: Double(number), residentBytes: kibibytes[number / 10] << 10, descriptors: 9, threads: 5,
                publishedBytes: published[number / 10] << 10)
        }
        return Watch.keepsGrowing(Watch.quarters(readings))
    }

    @Test func aWarmUpDoesNotCountAsGrowth() {
        #expect(!keepsGrowing([40_000, 60_000, 60_100, 60_200]))
        #expect(!keepsGrowing([40_000, 50_000, 60_000, 60_200]))
    }

    @Test func growthInEachQuarterCountsAsGrowth() {
        #expect(keepsGrowing([40_000, 42_000, 44_000, 46_000]))
        #expect(!keepsGrowing([40_000, 42_000, 44_000, 46_000], published: [0, 2_000, 4_000, 6_000]))
    }

    @Test func tooFewReadingsShowNoGrowth() {
        #expect(
            Watch.quarters(
                Array(repeating: Watch.Reading(seconds: 0, residentBytes: 0, descriptors: 0, threads: 0, publishedBytes: 0), count: 7)
            ).isEmpty)
    }
}
