import Auth
import Configuration
import Intake
import Kafka
import Sessions
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

    @Test func `The rules of tokens arrive`() {
        var auth = Configuration.Auth()
        auth.algorithms = ["RS256"]
        auth.issuer = "i"
        auth.audience = ["a", "b"]
        auth.types = ["x"]
        auth.leeway = .seconds(7)
        auth.tokenBytes = 999
        auth.subjectClaim = "user.id"
        auth.institutionClaim = "school"
        auth.rolesClaims = ["r", "s.t"]
        auth.channelsClaim = "c"
        let policy = TokenPolicy(auth)
        #expect(policy.algorithms == [.rs256])
        #expect(policy.issuer == "i" && policy.audiences == ["a", "b"] && policy.types == ["x"])
        #expect(policy.leeway == .seconds(7) && policy.maximumBytes == 999)
        #expect(
            policy.claims
                == ClaimNames(
                    subject: ClaimPath("user.id"), institution: ClaimPath("school"), roles: [ClaimPath("r"), ClaimPath("s.t")],
                    channels: ClaimPath("c")))
    }

    @Test func `The times of sessions arrive, and a token waits for its key less than connect may take`() {
        var configuration = Configuration()
        configuration.auth.sessionLife = .seconds(77)
        configuration.limits.connectWithin = .seconds(4)
        #expect(SessionLimits(configuration).life == .seconds(77))
        #expect(SessionLimits(configuration).keyWait == .seconds(3))
        configuration.limits.connectWithin = .seconds(600)
        #expect(SessionLimits(configuration).keyWait == SessionLimits().keyWait)
    }
}
