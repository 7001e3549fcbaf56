import Foundation
import HangGuard
import Testing

@testable import Kafka

/// kcat stands for every client nobody here wrote.
@Suite(.guarded) struct OutsideClientTests {
    @Test func `kcat writes what a consumer reads, and reads what a producer wrote`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            #expect(cluster.brokers.hasSuffix(":\(cluster.port)"))
            _ = try kcat(["-P", "-b", cluster.brokers, "-t", "events", "-p", "0", "-K", "=", "-Z", "-H", "a=1"], input: "k=v\nk=\n")
            let reader = try Reader(cluster.configuration())
            try reader.read("both records") { $0.records.count == 2 }
            #expect(reader.records.map(\.key) == [Array("k".utf8), Array("k".utf8)])
            #expect(reader.records.map(\.value) == [Array("v".utf8), nil])
            #expect(reader.records.map(\.headers) == [[RecordHeader("a", "1")], [RecordHeader("a", "1")]])
            try cluster.write([
                OutgoingRecord(topic: "events", partition: 0, key: nil, value: Array("ours".utf8), headers: [RecordHeader("h", "2")])
            ])
            let read = try kcat(
                ["-C", "-b", cluster.brokers, "-t", "events", "-p", "0", "-o", "2", "-e", "-q", "-f", "%o %K %s [%h]\n"], input: "")
            #expect(read == "2 -1 ours [h=2]\n")
        }
    }

    private func kcat(_ arguments: [String], input: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/kcat")
        process.arguments = arguments
        let (given, taken) = (Pipe(), Pipe())
        process.standardInput = given
        process.standardOutput = taken
        try process.run()
        try given.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try given.fileHandleForWriting.close()
        let output = try taken.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: output, as: UTF8.self)
    }
}
