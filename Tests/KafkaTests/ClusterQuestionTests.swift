import HangGuard
import Linux
import Testing

@testable import Kafka

/// What commands find out about a cluster, and the reasons that they give.
@Suite(.guarded) struct ClusterQuestionTests {
    private func reason(_ brokers: String, _ properties: [(String, String)] = []) async throws -> (message: String, seconds: Double) {
        try await onOwnThread {
            let start = ContinuousClock.now
            let properties = ClientProperties(properties.map { (name: $0.0, value: $0.1) })
            let failure = #expect(throws: KafkaError.self) {
                try ClusterMetadata.fetch(brokers: brokers, properties: properties, within: .seconds(20))
            }
            return (failure?.message ?? "", (ContinuousClock.now - start) / .seconds(1))
        }
    }

    @Test func `Nobody listens: the reason is the refused connection, and it does not take the whole time`() async throws {
        let cluster = try MockCluster()
        let brokers = cluster.brokers
        try cluster.takeDown()
        let (message, seconds) = try await reason(brokers)
        #expect(message.contains("Connection refused"))
        #expect(seconds < 15)
    }

    @Test func `A client that speaks TLS to a broker that does not is told so`() async throws {
        let cluster = try MockCluster()
        let (message, _) = try await reason(cluster.brokers, [("security.protocol", "ssl")])
        // Which of the two comes first depends on when the broker closes the connection.
        #expect(message.contains("SSL handshake failed") || message.contains("SSL_HANDSHAKE"))
    }

    @Test func `A certificate file that is missing is named`() async throws {
        let cluster = try MockCluster()
        let (message, _) = try await reason(cluster.brokers, [("security.protocol", "ssl"), ("ssl.ca.location", "/nowhere/ca.pem")])
        #expect(message.contains("/nowhere/ca.pem") || message.contains("ssl.ca.location"))
    }

    @Test func `What the client said about a password or a certificate is not replaced by the lost connection after it`() {
        var unreachability = Unreachability(within: .seconds(100))
        unreachability.hear(KafkaError(kind: .unauthorized, name: "_AUTHENTICATION", message: "wrong password"))
        unreachability.hear(KafkaError(kind: .unreachable, name: "_TRANSPORT", message: "disconnected"))
        unreachability.hear(KafkaError(kind: .unreachable, name: "_ALL_BROKERS_DOWN", message: "1/1 brokers are down"))
        #expect(unreachability.reason?.message == "wrong password")
        #expect(unreachability.isCertain)
        var patient = Unreachability(within: .seconds(100))
        patient.hear(KafkaError(kind: .unreachable, name: "_TRANSPORT", message: "refused"))
        patient.hear(KafkaError(kind: .unreachable, name: "_ALL_BROKERS_DOWN", message: "1/1 brokers are down"))
        #expect(!patient.isCertain, "another address of the same name may answer")
        #expect(patient.reason?.message == "refused")
    }

    @Test func `A probe finds what may be read, and does not join the group`() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("events", partitions: 2)
        try cluster.write(["1"], to: 0)
        let brokers = cluster.brokers
        let refusals = try await onOwnThread {
            try ReadProbe(brokers: brokers, group: "readers", properties: ClientProperties()).refusals(
                topics: ["events"], within: .seconds(20))
        }
        #expect(refusals.isEmpty)
    }

    @Test func `A probe names a topic that it may not even describe`() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("events", partitions: 1)
        cluster.setTopicFault(.topicAuthorizationFailed, on: "events")
        let brokers = cluster.brokers
        let refusals = try await onOwnThread {
            try ReadProbe(brokers: brokers, group: "readers", properties: ClientProperties()).refusals(
                topics: ["events"], within: .seconds(2))
        }
        #expect(refusals.map(\.name) == ["events"])
    }

    @Test(arguments: [
        (MockCluster.Request.fetch, MockCluster.Fault.topicAuthorizationFailed, "events"),
        (.offsetFetch, .groupAuthorizationFailed, "readers"),
    ])
    func `A probe names the topic or the group that is refused`(
        request: MockCluster.Request, fault: MockCluster.Fault, name: String
    ) async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("events", partitions: 1)
        cluster.fail(request, with: Array(repeating: fault, count: 50))
        let brokers = cluster.brokers
        let refusals = try await onOwnThread {
            try ReadProbe(brokers: brokers, group: "readers", properties: ClientProperties()).refusals(
                topics: ["events"], within: .seconds(20))
        }
        #expect(refusals.map(\.name) == [name])
        #expect(refusals.map(\.failure.kind) == [.unauthorized])
    }
}
