import Configuration
import Intake
import Kafka
import Testing

@testable import Hub

@Suite("Settings of the operator become values of the parts")
struct SettingsTests {
    @Test func `The settings arrive`() throws {
        var settings = Configuration.Kafka()
        settings.brokers = ["a:1", "b:2"]
        settings.topics = ["x", "y"]
        settings.deadLetterTopic = "dead"
        settings.group = "g"
        settings.fetchWait = .milliseconds(7)
        settings.batchRecords = 9
        settings.attempts = 4
        let configuration = IntakeConfiguration(settings)
        try configuration.validate()
        #expect(configuration.consumer.brokers == "a:1,b:2")
        #expect(configuration.deadLetterProducer.brokers == "a:1,b:2")
        #expect(configuration.consumer.topics == ["x", "y"])
        #expect(configuration.consumer.group == "g")
        #expect(configuration.consumer.fetchWait == .milliseconds(7))
        #expect(configuration.deadLetterTopic == "dead")
        #expect(configuration.flow.gatheredRecords == 9)
        #expect(configuration.flow.refusals == 4)
    }
}
