import Report
import Testing

@Suite("A latency recorder")
struct LatencyRecorderTests {
    @Test("tells percentiles to three digits")
    func percentiles() {
        var recorder = LatencyRecorder()
        for microseconds in 1...10_000 { recorder.record(nanoseconds: Int64(microseconds) * 1000) }
        for (percentile, expected) in [(50.0, 5_000_000.0), (90, 9_000_000), (99, 9_900_000), (99.9, 9_990_000), (100, 10_000_000)] {
            let told = Double(recorder.nanoseconds(atPercentile: percentile))
            #expect(abs(told - expected) / expected < 0.002, "p\(percentile): \(told)")
        }
        #expect(recorder.count == 10_000)
    }

    @Test("counts from the intended moment, so that a stall is not hidden")
    func intended() {
        var recorder = LatencyRecorder()
        // One request per millisecond; the server stalls for a second and then answers all at once.
        for request in 0..<1000 { recorder.record(intended: Int64(request) * 1_000_000, at: 1_000_000_000) }
        let half = Double(recorder.nanoseconds(atPercentile: 50))
        #expect(abs(half - 500_000_000) < 2_000_000)
    }

    @Test("adds up to what one alone would have recorded")
    func merging() {
        var one = LatencyRecorder()
        var other = LatencyRecorder()
        var all = LatencyRecorder()
        for value in 0..<5000 {
            let nanoseconds = Int64(value * value)
            if value.isMultiple(of: 3) { one.record(nanoseconds: nanoseconds) } else { other.record(nanoseconds: nanoseconds) }
            all.record(nanoseconds: nanoseconds)
        }
        one.merge(other)
        #expect(one == all)
        #expect(one.count == 5000)
    }

    @Test("survives the pipe", arguments: [[], [0], [1, 1, 1], [999, 1_000_000, 59_000_000_000]])
    func serialised(_ values: [Int64]) throws {
        var recorder = LatencyRecorder()
        for value in values { recorder.record(nanoseconds: value) }
        let back = try RunFile.value(LatencyRecorder.self, from: RunFile.data(recorder))
        #expect(back == recorder)
        #expect(back.count == UInt64(values.count))
        #expect(back.maxNanoseconds == recorder.maxNanoseconds)
    }

    @Test("takes what no clock should give without ending the run")
    func extremes() {
        var recorder = LatencyRecorder()
        recorder.record(nanoseconds: -5)
        recorder.record(nanoseconds: .max)
        #expect(recorder.count == 2)
        #expect(recorder.minNanoseconds == 0)
        #expect(recorder.maxNanoseconds >= LatencyRecorder.highestNanoseconds)
    }

    @Test("of nothing is zero, not a trap")
    func nothing() {
        let recorder = LatencyRecorder()
        #expect(recorder.maxNanoseconds == 0 && recorder.meanNanoseconds == 0 && recorder.minNanoseconds == 0)
    }
}
